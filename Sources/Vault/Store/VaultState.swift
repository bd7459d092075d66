import ObjectStores
import ReplicationModel
import Synchronization

/// What a vault holds as of one root. The index is loaded when it is first asked for: listings need none.
final class VaultState: Sendable {
    let root: VaultRoot
    /// Of the root as it is stored.
    let hash: String
    /// What is shown; nil in a vault without snapshots.
    let snapshot: Snapshot?
    let tree: SnapshotTree

    private enum Loading {
        case notYet
        case underWay(Task<ChunkIndex, any Error>)
        case done(ChunkIndex)
    }

    private let vault: VaultHandle
    private let loading: Mutex<Loading>

    /// - Parameter index: when it is there already.
    init(
        _ vault: VaultHandle, root: VaultRoot, hash: String, snapshot: Snapshot?, pages: PageStore,
        index: ChunkIndex? = nil
    ) {
        self.vault = vault
        self.root = root
        self.hash = hash
        self.snapshot = snapshot
        tree = SnapshotTree(root: snapshot?.tree, pages: pages)
        loading = Mutex(index.map { .done($0) } ?? .notYet)
    }

    func index() async throws(VaultError) -> ChunkIndex {
        let (ready, task) = loading.withLock { loading -> (ChunkIndex?, Task<ChunkIndex, any Error>?) in
            switch loading {
            case .done(let index): return (index, nil)
            case .underWay(let task): return (nil, task)
            case .notYet:
                let task = Task { [vault, root] in try await Self.load(root, vault) }
                loading = .underWay(task)
                return (nil, task)
            }
        }
        if let ready { return ready }
        do {
            let index = try await task!.value
            loading.withLock { $0 = .done(index) }
            return index
        } catch {
            // The next caller tries again.
            loading.withLock { if case .underWay(let failed) = $0, failed == task { $0 = .notYet } }
            throw VaultError(caught: error)
        }
    }

    static func load(_ root: VaultRoot, _ vault: VaultHandle) async throws(VaultError) -> ChunkIndex {
        try await ChunkIndex.load(
            root.segments, condemned: Set(root.collection.condemned), store: vault.store, keys: vault.keys,
            local: vault.local)
    }
}
