import Cryptography
import Digests
import ObjectStores
import ReplicationModel

/// One commit: packs are durable already; index segment, pages, root, in this order, until a root is the newest.
///
/// When somebody else has committed in between, the changes are applied to the newer state. What no longer fits there is rejected, key by
/// key, and everything else goes through.
struct Commit {
    let vault: VaultHandle
    let author: VaultWriter.Author
    let pages: PageStore
    let kind: CommitKind
    let changes: StagedChanges
    let rows: [PackSession.Row]

    /// Newer roots that are followed before somebody else gets the turn for good.
    private static let maxAttempts = 20

    func run(from base: VaultState) async throws(VaultError) -> (VaultState, rejected: [ObjectKey: String]) {
        var current = base
        for _ in 0..<Self.maxAttempts {
            let (next, rejected) = try await prepare(on: current)
            switch try await vault.roots.append(next) {
            case .committed(let hash):
                let committed = VaultState(
                    vault, root: next, hash: hash, snapshot: next.snapshots.last, pages: pages)
                return (committed, rejected)
            case .lost(let root, let hash):
                current = VaultState(
                    vault, root: root, hash: hash, snapshot: root.snapshots.last, pages: pages)
            }
        }
        throw VaultError(
            .conflict, "other writers committed \(Self.maxAttempts) times while this one tried; run again")
    }

    /// The next root, and what cannot be in it.
    private func prepare(
        on current: VaultState
    ) async throws(VaultError) -> (VaultRoot, rejected: [ObjectKey: String]) {
        let session = SessionName(base: current.root.sequence, random: SecureRandom.bytes(8))
        // Packs of fenced sessions may be gone.
        let kept = rows.filter { $0.location.pack.session.base >= current.root.fence }
        var collection = current.root.collection
        // A commit that nobody heard of has added them before, and they were condemned since.
        if !collection.condemned.isEmpty {
            let names = Set(Set(kept.map(\.location.pack)).map(\.text))
            collection.condemned.removeAll { names.contains($0) }
        }
        var fitting: [(ObjectKey, VaultEntry?)] = []
        var rejected: [ObjectKey: String] = [:]
        let own = Set(kept.map(\.id))
        for (key, change) in changes.sorted {
            // Also on the root that this writer knows: what was written while its last commit ran rests on the root before.
            if let reason = try await misfit(key, change, current, own, &collection) {
                rejected[key] = reason
            } else {
                fitting.append((key, change.entry))
            }
        }
        let tree = try await current.tree.applying(fitting, session: session)
        var segments = current.root.segments
        if !kept.isEmpty {
            segments += try await SegmentWriter.write(
                rows: kept.map { ($0.id, $0.location) }, session: session, store: vault.store, keys: vault.keys,
                local: vault.local)
            let small = SegmentMerge.plan(segments)
            if !small.isEmpty {
                segments.removeAll { small.contains($0) }
                segments += try await SegmentMerge.merged(
                    small, session: session, store: vault.store, keys: vault.keys, local: vault.local)
            }
        }
        let now = vault.time.nowSeconds()
        let snapshots = try await snapshots(with: tree, on: current, at: now, rejected: rejected.count, session)
        let root = VaultRoot(
            sequence: current.root.sequence + 1, previous: current.hash, time: now,
            nonce: Hex.encode(SecureRandom.bytes(16)), fence: current.root.fence, segments: segments,
            snapshots: snapshots, collection: collection)
        return (root, rejected)
    }

    /// The snapshots of the next root. The newest state comes last: it is the tree with this commit's changes, and complete when no folder is
    /// in the middle of a run. While another one is, a run that came to its end gets a complete snapshot beside it: the last complete state
    /// with this folder as it is now, so that nobody is shown half of the other one.
    private func snapshots(
        with tree: ChangedTree, on current: VaultState, at now: Int64, rejected: Int, _ session: SessionName
    ) async throws(VaultError) -> [Snapshot] {
        let complete = current.root.snapshots.filter { !$0.isPartial }
        let partial = current.root.snapshots.last { $0.isPartial }
        var unfinished = UnfinishedFolders(partial)
        func snapshot(
            _ tree: ChangedTree, id: UInt64 = current.root.sequence + 1, isPartial: Bool, failures: Int
        ) -> Snapshot {
            Snapshot(
                id: id, time: now, tree: tree.root, objects: tree.objects, bytes: tree.bytes, source: author.source,
                host: author.host, isPartial: isPartial, failures: failures + rejected,
                unfinished: isPartial ? unfinished.encoded : nil)
        }
        guard case .complete(let failures) = kind else {
            unfinished.insert(author.folder)
            return complete + [snapshot(tree, isPartial: true, failures: 0)]
        }
        unfinished.remove(author.folder)
        guard let partial, !unfinished.isEmpty else {
            return complete + [snapshot(tree, isPartial: false, failures: failures)]
        }
        let whole = SnapshotTree(root: complete.last?.tree, pages: pages)
        let edits = try await whole.edits(
            toward: SnapshotTree(root: tree.root, pages: pages), below: author.folder)
        let finished = snapshot(
            try await whole.applying(edits, session: session), isPartial: false, failures: failures)
        return complete + [finished, snapshot(tree, id: partial.id, isPartial: true, failures: 0)]
    }

    /// Why a change cannot be made to the newer state. Condemned packs that the change rests on are taken off the list.
    private func misfit(
        _ key: ObjectKey, _ change: StagedChanges.Change, _ current: VaultState, _ own: Set<ChunkID>,
        _ collection: inout CollectionState
    ) async throws(VaultError) -> String? {
        let there = try await current.tree.entry(for: key)
        // The change itself is there when a commit arrived that nobody heard of.
        guard there?.token == change.replaces || there?.token == change.entry?.token else {
            return "another writer changed it in the vault meanwhile; it was left as it is there"
        }
        let index = try await current.index()
        for reference in change.references where !own.contains(reference.id) {
            if index.findLive(reference.id) != nil { continue }
            guard let condemned = index.findAll(reference.id).first else {
                return "garbage collection removed chunks that it rests on; the next run stores them again"
            }
            collection.condemned.removeAll { $0 == condemned.pack.text }
        }
        return nil
    }
}
