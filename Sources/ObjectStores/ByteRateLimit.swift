import Synchronization

/// Spends a rate of bytes per second: each caller waits until the bytes before its own have had their time.
package final class ByteRateLimit: Sendable {
    /// No single call is made to wait longer: three years, far from the end of the clock.
    private static let longestWait = 1e17

    private let bytesPerSecond: Double
    private let time: any Timekeeper
    /// When the bytes admitted so far are through, monotonic nanoseconds.
    private let busyUntil: Mutex<Int64>

    package init(bytesPerSecond: Int64, time: any Timekeeper) {
        precondition(bytesPerSecond > 0, "a rate of zero would never let anything pass")
        self.bytesPerSecond = Double(bytesPerSecond)
        self.time = time
        busyUntil = Mutex(time.monotonic())
    }

    /// Returns when `bytes` more may move.
    func admit(_ bytes: Int64) async throws {
        let now = time.monotonic()
        let start: Int64 = busyUntil.withLock { busyUntil in
            let start = max(busyUntil, now)
            busyUntil = start + Int64(min(Double(bytes) / bytesPerSecond * 1e9, Self.longestWait))
            return start
        }
        if start > now { try await time.sleep(for: .nanoseconds(start - now)) }
    }
}
