/// The clock that retries, limits and ledgers use; tests inject one that does not wait.
package protocol Timekeeper: Sendable {
    /// Nanoseconds since 1970, UTC.
    func now() -> Int64
    /// Nanoseconds of a clock that never goes back; for durations.
    func monotonic() -> Int64
    /// Throws `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension Timekeeper {
    /// Seconds since 1970, UTC.
    package func nowSeconds() -> Int64 { now() / 1_000_000_000 }
}
