import ReplicationModel
import Synchronization

/// One set while a run works on it: counts what is under way below its prefix, and keeps the first thing that went wrong.
///
/// The planner holds one share of a set while it is inside, each object that is worked on one, and each set within it one. When the last
/// share is given back, the set either wakes the step that waits for it or gives its own share of the set around it back.
final class ArtifactSet: Sendable {
    let prefix: ObjectKey
    let parent: ArtifactSet?

    private struct State {
        /// The planner's own to begin with.
        var shares = 1
        var problem: String?
        var isAwaited = false
        var gate: AsyncStream<Never>.Continuation?
    }

    private let state = Mutex(State())

    init(prefix: ObjectKey, parent: ArtifactSet?) {
        self.prefix = prefix
        self.parent = parent
        parent?.begin()
    }

    /// For people.
    var name: String { prefix.isEmpty ? "the whole location" : "\(prefix)" }

    /// Why the set is not complete at the target; nil while nothing is known against it.
    var problem: String? { state.withLock { $0.problem } }

    func begin() { state.withLock { $0.shares += 1 } }

    func fail(_ problem: String) { state.withLock { $0.problem = $0.problem ?? problem } }

    /// Gives a share back.
    func end(_ problem: String? = nil) {
        let (isOver, isAwaited, first, gate) = state.withLock { state in
            state.shares -= 1
            state.problem = state.problem ?? problem
            return (state.shares == 0, state.isAwaited, state.problem, state.gate)
        }
        guard isOver else { return }
        gate?.finish()
        if !isAwaited { parent?.end(first) }
    }

    /// From now on the set keeps its share of the set around it until `release`. Called before the planner gives its own share back.
    func keepShare() { state.withLock { $0.isAwaited = true } }

    /// Returns when every share is back. Throws when the task is cancelled.
    func becomesIdle() async throws {
        let (ended, gate) = AsyncStream.makeStream(of: Never.self)
        let isOver = state.withLock { state in
            state.gate = gate
            return state.shares == 0
        }
        if isOver { gate.finish() }
        for await _ in ended {}
        try Task.checkCancellation()
    }

    /// What an awaited set still holds of the set around it.
    func release(_ problem: String?) { parent?.end(problem) }
}
