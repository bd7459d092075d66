#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The machine's clocks.
package struct SystemTime: Timekeeper {
    package init() {}

    package func now() -> Int64 { read(CLOCK_REALTIME) }

    package func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    package func sleep(for duration: Duration) async throws {
        try await Task.sleep(for: duration)
    }

    private func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
