import ObjectStores
import ReplicationModel
import Synchronization

/// The life of one process of a history: killed at a call of a store, it has done what it had done until then, and nothing that it does
/// afterwards has an effect.
final class HistoryProcess: Sendable {
    /// More than any run of a history needs: one that makes more calls never ends.
    private static let maxCalls = 20_000

    private struct State {
        var calls = 0
        var isDead = false
        var isEndless = false
    }

    private let state = Mutex(State())
    /// The call that the kill comes with; nil lives.
    private let lastCall: Int?
    /// Whether the last call takes effect.
    private let lastCallArrives: Bool
    private let model: HistoryModel

    init(lastCall: Int?, lastCallArrives: Bool, model: HistoryModel) {
        self.lastCall = lastCall
        self.lastCallArrives = lastCallArrives
        self.model = model
    }

    var isDead: Bool { state.withLock { $0.isDead } }
    var isEndless: Bool { state.withLock { $0.isEndless } }

    /// What a store's call is to do: wait for its turn, while readers look at the target, or nothing when the process is dead.
    func next() -> Fault? {
        let call = state.withLock { state -> Int? in
            guard !state.isDead else { return nil }
            state.calls += 1
            if state.calls == lastCall, !lastCallArrives { state.isDead = true }
            if state.calls > Self.maxCalls { (state.isDead, state.isEndless) = (true, true) }
            return state.isDead ? nil : state.calls
        }
        guard let call else { return .error(.cancelled) }
        if call == lastCall { return .after { self.die() } }
        let model = model
        return .before {
            await Task.yield()
            await model.look()
        }
    }

    private func die() {
        state.withLock { $0.isDead = true }
    }
}
