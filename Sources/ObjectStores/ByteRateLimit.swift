import Synchronization

/// Spends a rate of bytes per second: each caller waits until the bytes before its own have had their time.
package final class ByteRateLimit: Sendable {
    /// No single call is made to wait longer: three years, far from the end of the clock.
    private static let longestWait = 1e17

    private struct State {
        /// nil: everything passes at once.
        var bytesPerSecond: Double?
        /// When the bytes admitted so far are through, monotonic nanoseconds.
        var busyUntil: Int64
    }

    private let time: any Timekeeper
    private let state: Mutex<State>

    /// - Parameter bytesPerSecond: nil for no limit until one is set.
    package init(bytesPerSecond: Int64?, time: any Timekeeper) {
        self.time = time
        state = Mutex(State(bytesPerSecond: Self.checked(bytesPerSecond), busyUntil: time.monotonic()))
    }

    private static func checked(_ bytesPerSecond: Int64?) -> Double? {
        precondition(bytesPerSecond ?? 1 > 0, "a rate of zero would never let anything pass")
        return bytesPerSecond.map(Double.init)
    }

    /// The rate from now on; whoever waits already waits as long as it was told.
    package func change(to bytesPerSecond: Int64?) {
        state.withLock { $0.bytesPerSecond = Self.checked(bytesPerSecond) }
    }

    /// Returns when `bytes` more may move.
    func admit(_ bytes: Int64) async throws {
        let now = time.monotonic()
        let start: Int64 = state.withLock { state in
            let start = max(state.busyUntil, now)
            if let rate = state.bytesPerSecond {
                state.busyUntil = start + Int64(min(Double(bytes) / rate * 1e9, Self.longestWait))
            } else {
                state.busyUntil = now
            }
            return state.bytesPerSecond == nil ? now : start
        }
        if start > now { try await time.sleep(for: .nanoseconds(start - now)) }
    }
}
