package import Buffers
import Cryptography
import Digests
package import ObjectStores
import ReplicationModel

/// The place where a manifest's files are: a control location's `.lockstep/manifest/`, or a copy of that folder.
package struct ManifestFolder: Sendable {
    let store: any ObjectStore
    let pool: BufferPool

    /// - Parameter control: rooted at the control location.
    package init(control: any ObjectStore, pool: BufferPool) {
        self.init(folder: PrefixedStore(control, prefix: ManifestFormat.folder), pool: pool)
    }

    /// - Parameter folder: rooted at the folder itself, with `heads/` and `pages/` below it.
    package init(folder: any ObjectStore, pool: BufferPool) {
        store = folder
        self.pool = pool
    }

    /// For people.
    package var name: String { store.name }

    /// The heads that are there, by their names, oldest first. Other objects between them are passed over.
    package func heads() async throws -> [(sequence: Int64, object: ListedObject)] {
        var heads: [(sequence: Int64, object: ListedObject)] = []
        try await list(ManifestFormat.heads) { object in
            guard let sequence = ManifestFormat.sequence(of: object.key) else { return }
            guard heads.count < ManifestFormat.maxHeads else {
                throw ManifestError(.tooLarge, "\(name): holds more than \(ManifestFormat.maxHeads) heads")
            }
            heads.append((sequence, object))
        }
        heads.sort { $0.sequence < $1.sequence }
        for (before, after) in zip(heads, heads.dropFirst()) where before.sequence == after.sequence {
            throw StoreError(.invalidResponse, .list, key: after.object.key, message: "the listing names it twice")
        }
        return heads
    }

    /// The pages that are there, by digest.
    func pages() async throws -> [[UInt8]: ListedObject] {
        var pages: [[UInt8]: ListedObject] = [:]
        try await list(ManifestFormat.pages) { object in
            guard let digest = ManifestFormat.pageDigest(of: object.key) else { return }
            pages[digest] = object
            guard pages.count <= ManifestFormat.maxStoredPages else {
                throw ManifestError(.tooLarge, "\(name): holds more than \(ManifestFormat.maxStoredPages) pages")
            }
        }
        return pages
    }

    /// Reads one of `heads`, which is then sound in itself: form, signature by the key it names, number.
    package func head(_ listed: (sequence: Int64, object: ListedObject)) async throws -> HeadFile {
        let name = "\(listed.object.key)"
        let bytes = try await headBytes(listed.object)
        let file = try HeadFile(parsing: bytes, name: name)
        guard file.head.sequence == listed.sequence else {
            throw ManifestError(.damagedHead, "\(name): is the head \(file.head.sequence) by its content")
        }
        return file
    }

    func headBytes(_ object: ListedObject) async throws -> [UInt8] {
        guard object.size <= ManifestFormat.maxHeadBytes else {
            throw ManifestError(.damagedHead, "\(object.key): is larger than any head (\(object.size) bytes)")
        }
        let buffer = try await pool.acquire(checking: Int(object.size))
        do throws(StoreError) {
            _ = try await store.read(
                ReadRequest(
                    key: object.key, range: ByteRange(offset: 0, length: object.size), version: object.version,
                    objectSize: object.size), into: buffer)
        } catch {
            guard error.code == .notFound else { throw error }
            throw ManifestError(.missingHead, "\(object.key): is listed but not there")
        }
        return buffer.slice(Int(object.size)).withUnsafeBytes { Array($0) }
    }

    /// The content of a page, after its digest was checked.
    func content(of page: PublishedPage) async throws -> [UInt8] {
        let size = Int64(page.fileBytes)
        let buffer = try await pool.acquire(checking: page.fileBytes)
        let reply: ReadReply
        do throws(StoreError) {
            reply = try await store.read(
                ReadRequest(
                    key: page.key, range: ByteRange(offset: 0, length: size), version: nil, objectSize: size),
                into: buffer)
        } catch {
            throw try await explain(error, page)
        }
        guard reply.description.object.size == size else {
            throw PageContent.damaged(page, Self.otherSize(reply.description.object.size, page))
        }
        return try PageContent.open(buffer.slice(page.fileBytes), page)
    }

    /// A page that is gone or has another size fails its read in ways that differ from store to store.
    private func explain(_ error: StoreError, _ page: PublishedPage) async throws -> any Error {
        let missing = ManifestError(.missingPage, "\(page.key): the page is missing")
        switch error.code {
        case .notFound: return missing
        case .invalidResponse, .invalidRequest, .versionChanged, .checksumMismatch:
            do throws(StoreError) {
                let found = try await store.head(page.key).object.size
                guard found != Int64(page.fileBytes) else { return error }
                return PageContent.damaged(page, Self.otherSize(found, page))
            } catch {
                return error.code == .notFound ? missing : error
            }
        default: return error
        }
    }

    private static func otherSize(_ found: Int64, _ page: PublishedPage) -> String {
        "has \(found) bytes, and the head lists \(page.fileBytes)"
    }

    /// Listings are not trusted: they end, and never repeat a token.
    private func list(_ prefix: ObjectKey, _ body: (ListedObject) throws -> Void) async throws {
        var cursor: String?
        var emptyPages = 0
        repeat {
            let page = try await store.list(
                ListRequest(prefix: prefix, cursor: cursor, limit: store.capabilities.listPageLimit))
            for object in page.objects { try body(object) }
            emptyPages = page.objects.isEmpty ? emptyPages + 1 : 0
            guard page.next == nil || (page.next != cursor && emptyPages < 1000) else {
                throw StoreError(.invalidResponse, .list, message: "the listing of \(name)\(prefix) does not end")
            }
            cursor = page.next
            try Task.checkCancellation()
        } while cursor != nil
    }
}
