package import Buffers
package import Cryptography
import Digests
package import ObjectStores
import ReplicationModel

/// Publishes a ledger: its rows in pages, and a signed head that lists them and names the head before.
///
/// Pages come first, the head last: until it is there, nothing has been published. Pages are named by their content, so those that the
/// previous head already lists are not sent again. What a run that died leaves behind is swept by a later one.
package struct ManifestPublisher: Sendable {
    /// What one publication did.
    package struct Publication: Sendable {
        package var head: PublishedHead
        /// To be remembered by the ledger, together with nothing that happened later.
        package var state: PublishedState
        package var newPages = 0
        package var sentBytes: Int64 = 0
        package var prunedHeads = 0
        package var prunedPages = 0
        /// What could not be pruned, one sentence each; the publication itself is complete.
        package var notices: [String] = []
    }

    private let folder: ManifestFolder
    private let key: Ed25519PrivateKey
    private let source: String
    private let target: String
    private let time: any Timekeeper
    /// Heads that are never pruned, counted from the newest.
    private let keep: Int

    private static let batch = 1000

    /// - Parameters:
    ///   - control: rooted at the control location; retries are its business.
    ///   - pool: lends one buffer at a time, of at most 8 MiB.
    package init(
        control: any ObjectStore, key: Ed25519PrivateKey, pool: BufferPool, sourceIdentity: String,
        targetIdentity: String, time: any Timekeeper, keep: Int = 30
    ) {
        precondition(keep >= 1, "the newest head is always kept")
        folder = ManifestFolder(control: control, pool: pool)
        self.key = key
        source = sourceIdentity
        target = targetIdentity
        self.time = time
        self.keep = keep
    }

    /// Publishes all rows, which nobody changes meanwhile. The caller saves `state` of the result in the ledger.
    ///
    /// Throws `ManifestError` `.rolledBack` or `.foreignHead` when the newest head is not the one the ledger remembers, `.conflict`
    /// when another publisher was faster; and errors of stores and ledgers as they are. Cancelled, it leaves pages that no head lists.
    /// - Parameters:
    ///   - previous: what the ledger remembers; nil before its first publication.
    ///   - adopting: continue after whatever head is the newest.
    @concurrent
    package func publish(
        _ ledger: any Ledger, after previous: PublishedHeadAnchor?, adopting: Bool = false
    ) async throws -> Publication {
        let heads = try await folder.heads()
        let newest = try await Predecessor(folder: folder, source: source, target: target)
            .find(in: heads, remembered: previous, adopting: adopting)
        let stored = try await folder.pages()
        // Only pages that the newest head lists: any other one may be pruned at this moment. And only as they were when the head was
        // written: a page that was touched since is sent again.
        let published = heads.last?.object.modified ?? 0
        let known = Set(
            newest?.head.pages.filter { page in
                stored[page.digest].map { $0.size == Int64(page.fileBytes) && $0.modified <= published } ?? false
            }.map(\.digest) ?? [])

        let revision = try await ledger.revision()
        var sent = SentPages(known: known, stored: stored)
        let (pages, totals) = try await writePages(of: ledger, &sent)

        let head = PublishedHead(
            sequence: (newest?.head.sequence ?? 0) + 1, previous: newest?.anchor.digest, createdAt: time.nowSeconds(),
            source: source, target: target, totals: totals, publicKey: key.publicKey, pages: pages)
        let file = try HeadFile(head, key: key)
        sent.bytes += try await write(file)

        var publication = Publication(head: head, state: PublishedState(anchor: file.anchor, revision: revision))
        publication.newPages = sent.pages
        publication.sentBytes = sent.bytes
        do {
            try await prune(heads, stored, &publication)
        } catch {
            // The head is published; what is left for another time is no failure of this one.
            publication.notices.append("old manifests were kept: \(error)")
        }
        return publication
    }

    private struct SentPages {
        let known: Set<[UInt8]>
        /// All that are there under a page's name.
        let stored: [[UInt8]: ListedObject]
        var pages = 0
        var bytes: Int64 = 0
    }

    private func writePages(
        of ledger: any Ledger, _ sent: inout SentPages
    ) async throws -> (pages: [PublishedPage], totals: ManifestTotals) {
        var writer = PageWriter()
        var pages: [PublishedPage] = []
        var totals = ManifestTotals()

        func finishPage() async throws {
            let (page, file) = try await writer.finish(folder.pool)
            pages.append(page)
            guard pages.count <= ManifestFormat.maxPages else {
                throw ManifestError(.tooLarge, "the ledger needs more than \(ManifestFormat.maxPages) pages")
            }
            guard !sent.known.contains(page.digest) else { return }
            try await folder.putPage(page, file, over: sent.stored[page.digest], time: time)
            sent.pages += 1
            sent.bytes += Int64(page.fileBytes)
        }

        var last: ObjectKey?
        while true {
            let rows = try await ledger.rows(after: last, limit: Self.batch)
            for row in rows {
                if try !writer.append(row) {
                    try await finishPage()
                    guard try writer.append(row) else { preconditionFailure("an empty page takes every row") }
                }
                guard totals.add(size: row.size, evidence: row.evidence.rawValue) else {
                    throw ManifestError(.tooLarge, "the objects have more than 2^63 bytes")
                }
                if writer.isComplete { try await finishPage() }
            }
            try Task.checkCancellation()
            guard rows.count == Self.batch else { break }
            last = rows.last?.key
        }
        if !writer.isEmpty { try await finishPage() }
        return (pages, totals)
    }

    /// - Returns: the bytes of the file.
    private func write(_ file: HeadFile) async throws -> Int64 {
        let bytes = file.bytes
        guard bytes.count <= ManifestFormat.maxHeadBytes else {
            throw ManifestError(
                .tooLarge, "the head has \(bytes.count) bytes; \(ManifestFormat.maxHeadBytes) are allowed")
        }
        let buffer = try await folder.pool.acquire(checking: bytes.count)
        bytes.withUnsafeBytes { buffer.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let name = ManifestFormat.headKey(file.head.sequence)
        guard let rival = try await folder.put(name, buffer.slice(bytes.count), "application/jsonl", time: time) else {
            return Int64(bytes.count)
        }
        // What is there may be this very head, if the reply to an earlier attempt was lost.
        let there = try await folder.headBytes(rival)
        guard there != bytes else { return Int64(bytes.count) }
        let who =
            switch Result(catching: { try HeadFile(parsing: there, name: "\(name)").head }) {
            case .success(let head):
                "another publisher (key \(head.publicKey.id), from \(head.source) to \(head.target)) has published"
            case .failure: "something that is no head of this program is at"
            }
        throw ManifestError(.conflict, "\(who) \(name) in \(folder.name); the next run will look at it first")
    }

    /// Removes old heads, and pages that no remaining head lists. Waits until a third more than `keep` have gathered, because the
    /// remaining heads have to be read for it.
    private func prune(
        _ heads: [(sequence: Int64, object: ListedObject)], _ stored: [[UInt8]: ListedObject],
        _ publication: inout Publication
    ) async throws {
        // The new head is not among them.
        guard heads.count + 1 > keep + keep / 3 else { return }
        let old = heads.dropLast(keep - 1)
        var listed = Set(publication.head.pages.map(\.digest))
        for head in heads.suffix(keep - 1) {
            for page in try await folder.head(head).head.pages { listed.insert(page.digest) }
        }
        // Heads first, oldest first: never is there a head without its pages.
        let remaining = try await delete(old.map(\.object), &publication.notices)
        publication.prunedHeads = old.count - remaining
        guard remaining == 0 else { return }
        let unlisted = stored.filter { !listed.contains($0.key) }.values.sorted { $0.key < $1.key }
        publication.prunedPages = unlisted.count - (try await delete(unlisted, &publication.notices))
    }

    /// - Returns: how many could not be deleted.
    private func delete(_ objects: [ListedObject], _ notices: inout [String]) async throws -> Int {
        var failures = 0
        var rest = objects[...]
        while !rest.isEmpty, failures == 0 {
            try Task.checkCancellation()
            let some = rest.prefix(max(1, folder.store.capabilities.deleteBatch))
            rest = rest.dropFirst(some.count)
            let results = await folder.store.delete(some.map { DeleteRequest(key: $0.key, version: $0.version) })
            for case .failure(let error) in results {
                if failures == 0 { notices.append("old manifests could not be removed from \(folder.name): \(error)") }
                failures += 1
            }
        }
        return failures + rest.count
    }
}
