import ObjectStores
import ReplicationModel

extension CollectionRun {
    /// Objects deleted in one run.
    private static let maxOrphans = 100_000
    /// Unfinished uploads ended in one run.
    private static let maxUploads = 10_000

    private struct Orphan {
        var object: ListedObject
        var session: SessionName
        var amount: WritableKeyPath<CollectionReport, CollectionReport.Amount>
    }

    /// Deletes what ended sessions left behind.
    /// - Returns: a root with a higher fence that must be committed before; nil when all is done.
    func sweep(_ newest: Newest, fence: UInt64) async throws(VaultError) -> Step? {
        let limit = max(newest.root.fence, fence)
        guard limit > 0 else { return nil }
        let orphans = try await orphans(of: newest.root, before: limit)
        let uploads = try await uploads(before: limit)
        let youngest = (orphans.map(\.session) + uploads.map(\.session)).map(\.base).max()
        if let youngest, youngest >= newest.root.fence, !options.isDryRun {
            return Step(next: vault.successor(of: newest.root, hash: newest.hash))
        }
        if !options.isDryRun {
            try await vault.store.deleteAll(
                orphans.map { DeleteRequest(key: $0.object.key, version: $0.object.version) })
            for upload in uploads {
                do throws(StoreError) {
                    try await vault.store.abortUpload(upload.upload)
                } catch {
                    throw VaultError(error)
                }
            }
        }
        for orphan in orphans { report[keyPath: orphan.amount] += .init(count: 1, bytes: orphan.object.size) }
        report.abortedUploads += uploads.count
        return nil
    }

    /// What the listing shows in sessions below `limit` and the root does not refer to.
    private func orphans(of root: VaultRoot, before limit: UInt64) async throws(VaultError) -> [Orphan] {
        let index = try await ChunkIndex.load(
            root.segments, store: vault.store, keys: vault.keys, local: vault.local, time: vault.time)
        var needed = Set(index.packs.map { ObjectID($0.id) })
        for segment in root.segments {
            if let parts = VaultName.parts(of: segment.name, prefix: VaultName.indexPrefix) {
                needed.insert(ObjectID(parts.id))
            }
        }
        var seen: Set<PageReference> = []
        for snapshot in root.snapshots {
            try await SnapshotTree(root: snapshot.tree, pages: pages).pages(into: &seen)
        }
        for page in seen { needed.insert(ObjectID(page.id)) }

        var orphans: [Orphan] = []
        let folders: [(prefix: String, amount: WritableKeyPath<CollectionReport, CollectionReport.Amount>)] = [
            (VaultName.packPrefix, \.orphanPacks), (VaultName.indexPrefix, \.orphanSegments),
            (VaultName.pagePrefix, \.orphanPages),
        ]
        for (prefix, amount) in folders {
            // Names of sessions sort by their bases.
            let end = SessionName(base: limit, random: Array(repeating: 0, count: 8))
            try await vault.store.forEachObject(prefix: prefix, endBefore: "\(prefix)\(end)") { object in
                guard orphans.count < Self.maxOrphans else {
                    report.hasMore = true
                    return false
                }
                guard let name = object.key.utf8, let parts = VaultName.parts(of: name, prefix: prefix),
                    parts.session.base < limit, !needed.contains(ObjectID(parts.id))
                else { return true }
                orphans.append(Orphan(object: object, session: parts.session, amount: amount))
                return true
            }
        }
        return orphans
    }

    private func uploads(before limit: UInt64) async throws(VaultError) -> [(
        session: SessionName, upload: UploadSession
    )] {
        var uploads: [(session: SessionName, upload: UploadSession)] = []
        var cursor: String?
        repeat {
            let page: OpenUploadsPage
            do throws(StoreError) {
                page = try await vault.store.openUploads(
                    ListRequest(prefix: ObjectKey(VaultName.packPrefix), cursor: cursor))
            } catch {
                // Then they expire by themselves, or by the bucket's rule.
                if error.code == .unsupportedOperation { return [] }
                throw VaultError(error)
            }
            for upload in page.uploads {
                guard let name = upload.session.key.utf8,
                    let parts = VaultName.parts(of: name, prefix: VaultName.packPrefix), parts.session.base < limit
                else { continue }
                uploads.append((parts.session, upload.session))
            }
            guard page.next == nil || page.next != cursor else {
                throw VaultError(.store, object: VaultName.packPrefix, "the listing of unfinished uploads does not end")
            }
            cursor = page.next
        } while cursor != nil && uploads.count < Self.maxUploads
        return uploads
    }
}

/// The random part of a name: what tells objects apart, in little memory.
struct ObjectID: Hashable {
    private let high: UInt64
    private let low: UInt64

    /// - Precondition: 16 bytes.
    init(_ bytes: [UInt8]) {
        precondition(bytes.count == 16, "ids have 16 bytes")
        (high, low) = bytes.withUnsafeBytes {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
    }
}
