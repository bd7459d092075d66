import Manifests
import ReplicationModel
import Synchronization

/// Keys that failed in earlier runs, and what has become of them in this one.
final class FailedKeys: Sendable {
    /// Keys that are tried before the listings at most; the others have their turn with the rest.
    static let limit = 1000

    /// Those that this run tries first.
    let earlier: Set<ObjectKey>
    private let again = Mutex<Set<ObjectKey>>([])

    init(_ earlier: [FailedKey]) {
        self.earlier = Set(earlier.map(\.key))
    }

    /// Notes that a key was tried once more and is not replicated: it failed, or somebody else's object is in its place.
    func failedAgain(_ key: ObjectKey) {
        guard earlier.contains(key) else { return }
        again.withLock { _ = $0.insert(key) }
    }

    /// Whether the key was tried in vain in this run already. One attempt a run is enough, and a second one would take the object that
    /// somebody put there meanwhile for one that was always there.
    func hasFailedAgain(_ key: ObjectKey) -> Bool {
        guard !earlier.isEmpty else { return false }
        return again.withLock { $0.contains(key) }
    }
}
