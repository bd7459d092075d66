import Manifests
import ReplicationModel
import Synchronization

/// What the sets of one run share: the rules, the limits, and which of them were held back.
final class PointerRun: Sendable {
    /// Pointers that wait at the same time.
    static let maxPending = 100_000
    /// Sets that are remembered one by one when they are held back; beyond them, all count as held back.
    static let maxHeld = 10_000

    let sets: ArtifactSets
    /// Sets whose listing has ended and whose work has not.
    let waiting: ConcurrencyLimit
    /// Sets that are listed again at the same time.
    let looking = ConcurrencyLimit(8)
    private let pending = Atomic(0)
    private let vanished = Mutex<[ObjectKey: DeleteCandidate]>([:])

    private struct Held {
        var prefixes: Set<ObjectKey> = []
        var all = false
    }

    private let held = Mutex(Held())

    init(_ sets: ArtifactSets, waiting: Int) {
        self.sets = sets
        self.waiting = ConcurrencyLimit(waiting)
    }

    /// Throws `.refused` when more pointers wait than memory should be spent on.
    func addPending(_ count: Int = 1) throws {
        let now = pending.wrappingAdd(count, ordering: .relaxed).newValue
        guard now > Self.maxPending else { return }
        throw TransferFailure(
            .engine, .refused,
            "more than \(Self.maxPending) pointers wait for their sets to be complete; "
                + "narrow --pointers, or make the sets smaller with a larger --set-depth or --set")
    }

    func removePending(_ count: Int) { _ = pending.wrappingSubtract(count, ordering: .relaxed) }

    /// Pointers that only the target has, and that may be deleted there.
    var deleteCandidates: [DeleteCandidate] { vanished.withLock { Array($0.values) } }

    /// Notes a candidate for deletion if it is a pointer.
    func noteVanished(_ candidate: DeleteCandidate) throws {
        guard sets.isPointer(candidate.key) else { return }
        try addPending()
        vanished.withLock { $0[candidate.key] = candidate }
    }

    func hasVanished(_ key: ObjectKey) -> Bool { vanished.withLock { $0[key] != nil } }

    /// Whatever the target has below the prefix stays there: an old pointer may still name it.
    func holdBack(_ prefix: ObjectKey) {
        held.withLock { held in
            if prefix.isEmpty || held.prefixes.count >= Self.maxHeld {
                held.all = true
            } else {
                held.prefixes.insert(prefix)
            }
        }
    }

    /// Whether the key is in a set that was held back.
    func isHeldBack(_ key: ObjectKey) -> Bool {
        held.withLock { held in
            if held.all { return true }
            guard !held.prefixes.isEmpty else { return false }
            return key.bytes.indices.contains { index in
                key.bytes[index] == UInt8(ascii: "/")
                    && held.prefixes.contains(ObjectKey(Array(key.bytes[...index])))
            }
        }
    }
}
