/// The calendar fields of an instant in UTC (proleptic Gregorian).
package struct CivilTime: Equatable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int

    package init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// Fields from seconds since 1970 (Howard Hinnant's civil_from_days).
    package init(secondsSince1970: Int64) {
        let days = Int(secondsSince1970 >= 0 ? secondsSince1970 / 86_400 : (secondsSince1970 - 86_399) / 86_400)
        let rest = Int(secondsSince1970) - days * 86_400
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600
        minute = rest % 3_600 / 60
        second = rest % 60
    }

    package var secondsSince1970: Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        return days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }
}

private let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
private let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/// `value` in at least `width` digits.
private func padded(_ value: Int, _ width: Int = 2) -> String {
    let digits = String(value)
    return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
}

extension SimTime {
    /// `Fri, 01 Jan 2027 00:00:00 GMT` (RFC 9110 IMF-fixdate).
    package var httpDate: String {
        let civil = CivilTime(secondsSince1970: seconds)
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let weekday = weekdays[Int(((days % 7) + 7) % 7)]
        return "\(weekday), \(padded(civil.day)) \(months[civil.month - 1]) \(padded(civil.year, 4)) "
            + "\(padded(civil.hour)):\(padded(civil.minute)):\(padded(civil.second)) GMT"
    }

    /// `2027-01-01T00:00:00.000Z` (RFC 3339 with milliseconds).
    package var iso8601: String {
        let civil = CivilTime(secondsSince1970: seconds)
        return "\(padded(civil.year, 4))-\(padded(civil.month))-\(padded(civil.day))T"
            + "\(padded(civil.hour)):\(padded(civil.minute)):\(padded(civil.second)).\(padded(milliseconds, 3))Z"
    }

    /// `2027-01-01T00:00:00Z`: whole seconds.
    package var iso8601Seconds: String {
        let civil = CivilTime(secondsSince1970: seconds)
        return "\(padded(civil.year, 4))-\(padded(civil.month))-\(padded(civil.day))T"
            + "\(padded(civil.hour)):\(padded(civil.minute)):\(padded(civil.second))Z"
    }

    /// Parses `Fri, 01 Jan 2027 00:00:00 GMT`; nil for any other form.
    package init?(httpDate text: some StringProtocol) {
        let fields = text.split(separator: " ")
        guard fields.count == 6, fields[5] == "GMT" || fields[5] == "UTC",
            let day = Int(fields[1]), let month = months.firstIndex(of: String(fields[2])),
            let year = Int(fields[3])
        else { return nil }
        let clock = fields[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3 else { return nil }
        self.init(
            seconds: CivilTime(
                year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2]
            ).secondsSince1970)
    }

    /// Parses `yyyyMMddTHHmmssZ` and RFC 3339 in UTC (`-`, `:` and a fraction allowed); nil for any other form.
    package init?(iso8601 text: some StringProtocol) {
        var digits: [Int] = []
        var fraction: [Int] = []
        var inFraction = false
        var ended = false
        for byte in text.utf8 {
            if ended { return nil }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if inFraction {
                    fraction.append(Int(byte - 48))
                } else {
                    digits.append(Int(byte - 48))
                }
            case UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "T"): if inFraction { return nil }
            case UInt8(ascii: "."): inFraction = true
            case UInt8(ascii: "Z"): ended = true
            default: return nil
            }
        }
        guard digits.count == 14 || digits.count == 8 || digits.count == 12 else { return nil }
        func number(_ range: Range<Int>) -> Int {
            range.upperBound <= digits.count ? digits[range].reduce(0) { $0 * 10 + $1 } : 0
        }
        let civil = CivilTime(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
            minute: number(10..<12), second: number(12..<14))
        guard (1...12).contains(civil.month), (1...31).contains(civil.day) else { return nil }
        var nanoseconds: Int64 = 0
        for index in 0..<9 { nanoseconds = nanoseconds * 10 + Int64(index < fraction.count ? fraction[index] : 0) }
        self.init(nanoseconds: civil.secondsSince1970 * 1_000_000_000 + nanoseconds)
    }
}
