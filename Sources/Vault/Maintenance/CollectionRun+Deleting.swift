import Cryptography
import ObjectStores
import ReplicationModel

extension CollectionRun {
    /// Takes condemned packs out of the index, but for those that are needed after all.
    func drop(_ newest: Newest) async throws(VaultError) -> Step {
        let condemned = Set(newest.root.collection.condemned)
        let live = try await marking.mark(newest.root)
        let usage = live.usage()
        var dead: Set<PackName> = []
        var deleting = condemned.filter { VaultName.parts(of: $0, prefix: VaultName.packPrefix) != nil }
        var dropped = CollectionReport.Amount()
        for (place, pack) in live.packs.enumerated() where condemned.contains(pack.text) {
            if usage[place].liveRows > 0 {
                deleting.remove(pack.text)
            } else {
                dead.insert(pack)
                dropped += .init(count: 1, bytes: usage[place].bytes)
            }
        }
        var next = vault.successor(of: newest.root, hash: newest.hash)
        next.collection.condemned = []
        next.collection.deleting = deleting.sorted()
        // Whoever still has rows of these packs can bring them back no more.
        for name in deleting {
            let session = VaultName.parts(of: name, prefix: VaultName.packPrefix)!.session
            next.fence = max(next.fence, session.base + 1)
        }
        if !dead.isEmpty, !options.isDryRun {
            next.segments = try await SegmentMerge.rewritten(
                newest.root.segments, dropping: dead,
                session: SessionName(base: newest.root.sequence, random: SecureRandom.bytes(8)), store: vault.store,
                keys: vault.keys, local: vault.local
            ).segments
        }
        let reprieved = condemned.count - deleting.count
        return Step(next: next) { (run) throws(VaultError) in
            run.report.dropped += dropped
            run.report.reprieved += reprieved
        }
    }

    /// Deletes what an earlier root has taken out of the index.
    func finishDeleting(_ newest: Newest) async throws(VaultError) -> Step {
        let names = newest.root.collection.deleting.filter {
            VaultName.parts(of: $0, prefix: VaultName.packPrefix) != nil
        }
        if !options.isDryRun {
            // Names of packs are used once: whatever is there is what was dropped.
            try await vault.store.deleteAll(names.map { DeleteRequest(key: ObjectKey($0), version: nil) })
        }
        var next = vault.successor(of: newest.root, hash: newest.hash)
        next.collection.deleting = []
        return Step(next: next) { (run) throws(VaultError) in run.report.deletedPacks += names.count }
    }
}

extension ObjectStore {
    /// Requests of deletions under way at a time.
    private var parallelDeletions: Int { 8 }

    /// Deletes in as large batches as the store takes. Goes on after failures and throws the first one; a version that is not there any
    /// more is none.
    func deleteAll(_ requests: [DeleteRequest]) async throws(VaultError) {
        let size = max(1, capabilities.deleteBatch)
        var rest = requests[...]
        let failure = await withTaskGroup(of: StoreError?.self) { group in
            var failure: StoreError?
            var running = 0
            while true {
                while running < parallelDeletions, !rest.isEmpty, failure?.code != .cancelled {
                    let batch = Array(rest.prefix(size))
                    rest = rest.dropFirst(size)
                    running += 1
                    group.addTask { await delete(batch).lazy.compactMap(\.failure).first }
                }
                guard running > 0 else { return failure }
                if let result = await group.next(), let found = result { failure = failure ?? found }
                running -= 1
            }
        }
        if let failure { throw VaultError(failure) }
    }
}

extension Result<Void, StoreError> {
    /// nil also when the object is gone, or another than the one that was meant.
    fileprivate var failure: StoreError? {
        guard case .failure(let error) = self, error.code != .notFound, error.code != .preconditionFailed else {
            return nil
        }
        return error
    }
}
