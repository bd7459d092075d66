import Synchronization

/// How many requests a store takes at the same time, found out by asking: one more after a round of successes, a third fewer
/// after "slow down" (additive increase, multiplicative decrease, as in TCP), and none before a Retry-After has passed.
final class AdaptiveLimit: Sendable {
    private struct State {
        var limit: Double
        var running = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Monotonic nanoseconds.
        var lastDecrease: Int64?
        var pausedUntil: Int64 = 0
    }

    private let maximum: Double
    private let time: any Timekeeper
    private let state: Mutex<State>

    init(maximum: Int, time: any Timekeeper) {
        self.maximum = Double(maximum)
        self.time = time
        state = Mutex(State(limit: Double(maximum)))
    }

    /// Waits for a place and for the end of a pause. `leave` must follow. Waiting is bounded by the calls before it, so it is not cancellable.
    func enter() async {
        await withCheckedContinuation { continuation in
            let admitted = state.withLock { state in
                guard state.running < Int(state.limit) else {
                    state.waiters.append(continuation)
                    return false
                }
                state.running += 1
                return true
            }
            if admitted { continuation.resume() }
        }
        let pause = state.withLock { $0.pausedUntil } - time.monotonic()
        // An interrupted sleep only means that the request goes out early and is cancelled there.
        if pause > 0 { _ = try? await time.sleep(for: .nanoseconds(pause)) }
    }

    func leave(throttled: Duration?) {
        let admitted: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.running -= 1
            if let throttled {
                let now = time.monotonic()
                // One decrease per second: the replies to requests that were already under way tell nothing new.
                if state.lastDecrease.map({ now - $0 > 1_000_000_000 }) ?? true {
                    state.limit = max(1, state.limit * 0.7)
                    state.lastDecrease = now
                }
                state.pausedUntil = max(state.pausedUntil, now + Int64(throttled / .nanoseconds(1)))
            } else {
                state.limit = min(maximum, state.limit + 1 / state.limit)
            }
            var ready: [CheckedContinuation<Void, Never>] = []
            while state.running < Int(state.limit), !state.waiters.isEmpty {
                ready.append(state.waiters.removeFirst())
                state.running += 1
            }
            return ready
        }
        for continuation in admitted { continuation.resume() }
    }
}
