/// Hours of some days of the week, and the rate of bytes that holds in them. One that ends before it begins goes on past midnight, and
/// belongs to the day on which it begins.
package struct RateWindow: Sendable, Hashable {
    /// Bit 0 is Sunday.
    let days: UInt64
    /// Minutes of the day.
    let from: Int
    let to: Int
    /// Bytes per second; 0: no run.
    let rate: Int64

    /// - Parameters:
    ///   - days: as in a cron line: `mon-fri`, `*`.
    ///   - from: `08:00`.
    ///   - to: `18:00`; `24:00` is the end of the day.
    package init(days: String, from: String, to: String, rate: Int64) throws(ScheduleError) {
        self.days = try CronField.weekday.parse(days[...])
        self.from = try Self.minute(from)
        self.to = try Self.minute(to)
        self.rate = rate
        guard self.from != self.to, self.from < 24 * 60 else {
            throw ScheduleError("a window from \(from) to \(to) has no length; the whole day is from 00:00 to 24:00")
        }
    }

    static func minute(_ text: String) throws(ScheduleError) -> Int {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ (1...2).contains($0.utf8.count) && $0.utf8.allSatisfy { 48...57 ~= $0 } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 24 * 60
        else { throw ScheduleError("'\(text.prefix(20))' is not a time of day: write 08:00 or 18:30, 24:00 at most") }
        return hour * 60 + minute
    }

    /// - Parameter weekday: 0 is Sunday.
    func contains(weekday: Int, minute: Int) -> Bool {
        func isOn(_ day: Int) -> Bool { days & (1 << UInt64(day)) != 0 }
        if from < to { return isOn(weekday) && (from..<to).contains(minute) }
        return isOn(weekday) && minute >= from || isOn((weekday + 6) % 7) && minute < to
    }
}

/// The windows of a pair; the first that contains a moment decides.
package struct RateWindows: Sendable, Hashable {
    /// How fast a run may be.
    package enum Allowance: Sendable, Hashable {
        /// No run.
        case closed
        /// Bytes per second at most.
        case rate(Int64)
        case unlimited
    }

    private let windows: [RateWindow]
    /// Outside of all windows; nil: unlimited.
    private let otherwise: Int64?
    private let clock: ZoneClock

    package init(_ windows: [RateWindow] = [], otherwise: Int64? = nil, timeZone: String = "UTC") throws(ScheduleError)
    {
        self.windows = windows
        self.otherwise = otherwise
        clock = try ZoneClock(timeZone)
    }

    package func allowance(at moment: Int64) -> Allowance {
        let local = moment + clock.offset(at: moment)
        let days = (local - (local % 86400 + 86400) % 86400) / 86400
        let weekday = Int(((days + 4) % 7 + 7) % 7)
        let minute = Int((local - days * 86400) / 60)
        for window in windows where window.contains(weekday: weekday, minute: minute) {
            return window.rate == 0 ? .closed : .rate(window.rate)
        }
        return otherwise.map { .rate($0) } ?? .unlimited
    }

    /// The next moment at which another allowance holds; nil when that never changes.
    package func nextChange(after moment: Int64) -> Int64? {
        let current = allowance(at: moment)
        let local = moment + clock.offset(at: moment)
        let midnight = local - (local % 86400 + 86400) % 86400
        var edges: Set<Int64> = []
        for window in windows {
            for day in Int64(-1)...8 {
                for minute in [window.from, window.to] {
                    let moments = clock.moments(of: midnight + day * 86400 + Int64(minute) * 60)
                    edges.formUnion([moments.first, moments.last])
                    // When the clock is set back, it is out of a window, or in it, once more.
                    if let change = clock.change(from: moments.first, to: moments.last) { edges.insert(change) }
                }
            }
        }
        return edges.filter { $0 > moment && allowance(at: $0) != current }.min()
    }

    /// Whether some window forbids runs.
    package var canClose: Bool { windows.contains { $0.rate == 0 } }

    /// Windows of the week that follows another, until one forbids runs, are at most so many.
    private static let maxChanges = 10_000

    /// The first moment from this one on that is in a window without runs; nil when there is none.
    package func nextClosing(from moment: Int64) -> Int64? {
        guard canClose else { return nil }
        var moment = moment
        for _ in 0..<Self.maxChanges {
            if allowance(at: moment) == .closed { return moment }
            guard let next = nextChange(after: moment) else { return nil }
            moment = next
        }
        return nil
    }

    /// The first moment from this one on that is in no window without runs; nil when there is none.
    package func nextOpening(from moment: Int64) -> Int64? {
        allowance(at: moment) == .closed ? nextChange(after: moment) : moment
    }

    /// Whether the whole week is without runs.
    var isAlwaysClosed: Bool {
        Self.minutesOfWeek.allSatisfy { weekday, minute in
            windows.first { $0.contains(weekday: weekday, minute: minute) }?.rate == 0
        }
    }

    /// Two windows that share a minute, if there are.
    var overlap: (first: Int, second: Int)? {
        for (weekday, minute) in Self.minutesOfWeek {
            let open = windows.indices.lazy.filter { windows[$0].contains(weekday: weekday, minute: minute) }.prefix(2)
            if open.count == 2 { return (open.first!, open.dropFirst().first!) }
        }
        return nil
    }

    private static let minutesOfWeek = (0..<7).flatMap { weekday in (0..<1440).map { (weekday, $0) } }
}
