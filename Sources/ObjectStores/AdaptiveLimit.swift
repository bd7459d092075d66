import Synchronization

/// How many requests a store takes at the same time, found out by asking: one more after a round of successes, a third fewer
/// after "slow down" (additive increase, multiplicative decrease, as in TCP), and none before a Retry-After has passed.
///
/// A store that refuses again and again, and nothing in between succeeds, is left alone by all callers together, ever longer: else each
/// of them would find out for itself, and add to the storm.
final class AdaptiveLimit: Sendable {
    private struct State {
        var limit: Double
        var running = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Rises with a refusal: those of requests that were admitted before it tell nothing new.
        var round = 0
        /// Rounds that were refused since a request succeeded.
        var refusedRounds = 0
        /// Monotonic nanoseconds.
        var lastDecrease: Int64?
        var pausedUntil: Int64 = 0
    }

    /// Refused rounds after which there is a pause.
    private static let patience = 3
    private static let firstPause: Int64 = 250_000_000
    private static let longestPause: Int64 = 20_000_000_000

    private let maximum: Double
    private let time: any Timekeeper
    private let state: Mutex<State>

    init(maximum: Int, time: any Timekeeper) {
        self.maximum = Double(maximum)
        self.time = time
        state = Mutex(State(limit: Double(maximum)))
    }

    /// Waits for a place and for the end of a pause. `leave` must follow, with the round that this returns. Waiting is bounded by the calls
    /// before it, so it is not cancellable.
    func enter() async -> Int {
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
        return state.withLock { $0.round }
    }

    func leave(_ round: Int, throttled: Duration?) {
        let admitted: [CheckedContinuation<Void, Never>] = state.withLock { state in
            state.running -= 1
            if let throttled {
                let now = time.monotonic()
                // One decrease per second: the replies to requests that were already under way tell nothing new.
                if state.lastDecrease.map({ now - $0 > 1_000_000_000 }) ?? true {
                    state.limit = max(1, state.limit * 0.7)
                    state.lastDecrease = now
                }
                if round == state.round {
                    state.round += 1
                    state.refusedRounds += 1
                }
                let asked = Int64(throttled / .nanoseconds(1))
                state.pausedUntil = max(state.pausedUntil, now + max(asked, Self.pause(after: state.refusedRounds)))
            } else {
                state.refusedRounds = 0
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

    private static func pause(after rounds: Int) -> Int64 {
        guard rounds > patience else { return 0 }
        return min(longestPause, firstPause << Int64(min(rounds - patience - 1, 20)))
    }
}
