#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An instant on the server's clock, in nanoseconds since 1970-01-01 UTC.
package struct SimTime: Hashable, Comparable, Codable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package init(seconds: Int64) {
        self.nanoseconds = seconds * 1_000_000_000
    }

    /// Whole seconds since 1970, rounded down.
    package var seconds: Int64 {
        nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : (nanoseconds - 999_999_999) / 1_000_000_000
    }

    package var milliseconds: Int { Int((nanoseconds - seconds * 1_000_000_000) / 1_000_000) }

    package static func < (a: SimTime, b: SimTime) -> Bool { a.nanoseconds < b.nanoseconds }
}

/// The server's clock: real time plus an offset that tests may set. Confined to the event loop.
package final class SimClock {
    /// Added to real time; `clock-skew` tests and the control endpoint change it.
    package var offsetNanoseconds: Int64 = 0

    private var cachedSecond: Int64 = .min
    private var cachedHTTPDate = ""

    package init() {}

    package var now: SimTime {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return SimTime(
            nanoseconds: Int64(value.tv_sec) * 1_000_000_000 + Int64(value.tv_nsec) + offsetNanoseconds)
    }

    /// The current time as an HTTP date; formatted once a second.
    package var httpDate: String {
        let second = now.seconds
        if second != cachedSecond {
            cachedSecond = second
            cachedHTTPDate = SimTime(seconds: second).httpDate
        }
        return cachedHTTPDate
    }
}
