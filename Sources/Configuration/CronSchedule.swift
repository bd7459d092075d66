import ReplicationModel

/// A cron line: minute, hour, day of month, month, day of week, in the wall clock of a time zone.
///
/// As in Vixie cron, a day matches when one of the two day fields does, unless one of them begins with `*`: then both must. When
/// clocks change, a time that does not exist is taken as the next one that does, and one that exists twice happens once; a line that
/// matches every hour goes on by the length of the hour instead: its times happen twice, and those that do not exist are left out.
package struct CronSchedule: Sendable, Hashable {
    /// The rarest line is a 29 February on a given weekday, and the century years that have none make it wait for so long.
    private static let longestWait: Int64 = 41 * 366 * 86400
    private static let macros = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]

    /// As it was written.
    package let text: String
    private let minutes: UInt64
    private let hours: UInt64
    private let daysOfMonth: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    private let needsBothDays: Bool
    private let clock: ZoneClock

    /// Refuses lines that can never happen.
    package init(_ text: String, timeZone: String = "UTC") throws(ScheduleError) {
        self.text = text
        clock = try ZoneClock(timeZone)
        let line = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        var fields = line
        if let first = line.first, first.hasPrefix("@") {
            guard line.count == 1, let meaning = Self.macros[first.lowercased()] else {
                let known = Self.macros.keys.sorted().joined(separator: ", ")
                throw ScheduleError("'\(text.prefix(40))' is not one of \(known)")
            }
            fields = meaning.split(separator: " ")
        }
        guard fields.count == 5 else {
            throw ScheduleError(
                "'\(text.prefix(60))' has \(fields.count) fields and not five: minute, hour, day of month, month, day of week"
            )
        }
        minutes = try CronField.minute.parse(fields[0])
        hours = try CronField.hour.parse(fields[1])
        daysOfMonth = try CronField.dayOfMonth.parse(fields[2])
        months = try CronField.month.parse(fields[3])
        weekdays = try CronField.weekday.parse(fields[4])
        needsBothDays = fields[2].hasPrefix("*") || fields[4].hasPrefix("*")
        let year2000: Int64 = 946_684_800
        guard local(from: year2000) != nil else {
            throw ScheduleError("'\(text.prefix(60))' never happens: no month that it names has such a day")
        }
    }

    private var isEveryHour: Bool { hours == (1 << 24) - 1 }

    /// The first moment after this one, in seconds since 1970; nil where none is within 40 years.
    package func next(after moment: Int64) -> Int64? {
        guard isEveryHour else { return next(after: moment) { $0.first } }
        let candidates = [
            next(after: moment) { $0.exists ? $0.first : nil }, next(after: moment) { $0.exists ? $0.last : nil },
        ]
        return candidates.compactMap(\.self).min()
    }

    /// The last moment before this one.
    package func previous(before moment: Int64) -> Int64? {
        guard isEveryHour else { return previous(before: moment) { $0.first } }
        let candidates = [
            previous(before: moment) { $0.exists ? $0.first : nil },
            previous(before: moment) { $0.exists ? $0.last : nil },
        ]
        return candidates.compactMap(\.self).max()
    }

    private typealias Moments = (first: Int64, last: Int64, exists: Bool)

    // Each of the choices rises with local time, so that the first that is late enough is the answer.
    private func next(after moment: Int64, choose: (Moments) -> Int64?) -> Int64? {
        var start = clock.locals(near: moment).lowerBound
        while let local = local(from: start) {
            if let chosen = choose(clock.moments(of: local)), chosen > moment { return chosen }
            start = local + 60
        }
        return nil
    }

    private func previous(before moment: Int64, choose: (Moments) -> Int64?) -> Int64? {
        var end = clock.locals(near: moment).upperBound
        while let local = local(upTo: end) {
            if let chosen = choose(clock.moments(of: local)), chosen < moment { return chosen }
            end = local - 1
        }
        return nil
    }

    /// The first local time of the line at or after this one.
    private func local(from start: Int64) -> Int64? {
        let first = CivilTime(secondsSince1970: start + 59)
        var day = CivilTime(year: first.year, month: first.month, day: first.day, hour: 0, minute: 0, second: 0)
        var minute = first.hour * 60 + first.minute
        let end = start + Self.longestWait
        while day.secondsSince1970 < end {
            if matches(day), let found = minuteOfDay(from: minute) { return day.secondsSince1970 + Int64(found) * 60 }
            minute = 0
            day = months & (1 << UInt64(day.month)) == 0 ? day.nextMonth : day.nextDay
        }
        return nil
    }

    /// The last local time of the line at or before this one.
    private func local(upTo end: Int64) -> Int64? {
        let last = CivilTime(secondsSince1970: end)
        var day = CivilTime(year: last.year, month: last.month, day: last.day, hour: 0, minute: 0, second: 0)
        var minute = last.hour * 60 + last.minute
        let start = end - Self.longestWait
        while day.secondsSince1970 > start {
            if matches(day), let found = minuteOfDay(upTo: minute) { return day.secondsSince1970 + Int64(found) * 60 }
            minute = 24 * 60 - 1
            day = months & (1 << UInt64(day.month)) == 0 ? day.lastOfPreviousMonth : day.previousDay
        }
        return nil
    }

    private func matches(_ day: CivilTime) -> Bool {
        guard months & (1 << UInt64(day.month)) != 0 else { return false }
        let byMonth = daysOfMonth & (1 << UInt64(day.day)) != 0
        let byWeek = weekdays & (1 << UInt64(day.weekday)) != 0
        return needsBothDays ? byMonth && byWeek : byMonth || byWeek
    }

    private func minuteOfDay(from minute: Int) -> Int? {
        (minute..<24 * 60).first { hours & (1 << UInt64($0 / 60)) != 0 && minutes & (1 << UInt64($0 % 60)) != 0 }
    }

    private func minuteOfDay(upTo minute: Int) -> Int? {
        (0...minute).last { hours & (1 << UInt64($0 / 60)) != 0 && minutes & (1 << UInt64($0 % 60)) != 0 }
    }
}

extension CivilTime {
    /// 0 is Sunday.
    fileprivate var weekday: Int {
        let days = Int((secondsSince1970 - Int64(hour * 3600 + minute * 60 + second)) / 86400)
        return ((days + 4) % 7 + 7) % 7
    }

    fileprivate var nextDay: CivilTime { CivilTime(secondsSince1970: secondsSince1970 + 86400) }
    fileprivate var previousDay: CivilTime { CivilTime(secondsSince1970: secondsSince1970 - 86400) }

    fileprivate var nextMonth: CivilTime {
        CivilTime(
            year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1, hour: 0, minute: 0,
            second: 0)
    }

    fileprivate var lastOfPreviousMonth: CivilTime {
        CivilTime(year: year, month: month, day: 1, hour: 0, minute: 0, second: 0).previousDay
    }
}
