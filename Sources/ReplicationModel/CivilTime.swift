/// UTC calendar time, converted without a calendar library: listings hold one date per object.
package struct CivilTime: Sendable, Hashable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var nanosecond: Int

    package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, nanosecond: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.nanosecond = nanosecond
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    /// From seconds since 1970 (the days-to-civil algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    package init(secondsSince1970 seconds: Int64, nanosecond: Int = 0) {
        let days = (seconds - (seconds % 86400 + 86400) % 86400) / 86400
        let rest = Int(seconds - days * 86400)
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        self.init(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1,
            hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60, nanosecond: nanosecond)
    }

    package var secondsSince1970: Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        return days * 86400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// The nearest moment that fits: servers may name any year, and nanoseconds end in 2262.
    package var nanosecondsSince1970: Int64 {
        let seconds = secondsSince1970
        let (whole, isOutside) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isStillOutside) = whole.addingReportingOverflow(Int64(nanosecond))
        return isOutside || isStillOutside ? (seconds < 0 ? .min : .max) : sum
    }

    /// `2026-11-21T03:04:05.678Z` (RFC 3339, UTC or with an offset), nil when it is not one.
    package init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[start..<start + count] {
                guard byte >= 48 && byte <= 57 else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            return value
        }
        guard bytes.count >= 20, let year = number(0, 4), bytes[4] == UInt8(ascii: "-"), let month = number(5, 2),
            bytes[7] == UInt8(ascii: "-"), let day = number(8, 2), let hour = number(11, 2), let minute = number(14, 2),
            let second = number(17, 2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var index = 19
        var nanosecond = 0
        if bytes[index] == UInt8(ascii: ".") {
            index += 1
            var scale = 100_000_000
            while index < bytes.count, bytes[index] >= 48, bytes[index] <= 57 {
                nanosecond += Int(bytes[index] - 48) * scale
                scale /= 10
                index += 1
            }
        }
        guard index < bytes.count else { return nil }
        var offset: Int64 = 0
        if bytes[index] != UInt8(ascii: "Z") {
            guard let hours = number(index + 1, 2), let minutes = number(index + 4, 2) else { return nil }
            offset = Int64(hours * 3600 + minutes * 60) * (bytes[index] == UInt8(ascii: "-") ? -1 : 1)
        }
        let local = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        self.init(secondsSince1970: local.secondsSince1970 - offset, nanosecond: nanosecond)
    }

    /// `Sat, 21 Nov 2026 03:04:05 GMT` (RFC 9110 IMF-fixdate), nil when it is not one.
    package init?(httpDate text: String) {
        var text = text
        let parsed: CivilTime? = text.withUTF8 { bytes in
            guard bytes.count == 29, bytes[3] == UInt8(ascii: ","), bytes[25...].elementsEqual(" GMT".utf8) else {
                return nil
            }
            func number(_ start: Int, _ count: Int) -> Int? {
                var value = 0
                for byte in bytes[start..<start + count] {
                    guard byte >= 48 && byte <= 57 else { return nil }
                    value = value * 10 + Int(byte - 48)
                }
                return value
            }
            guard let day = number(5, 2), let year = number(12, 4), let hour = number(17, 2),
                let minute = number(20, 2),
                let second = number(23, 2),
                let month = Self.months.firstIndex(where: { bytes[8..<11].elementsEqual($0.utf8) })
            else { return nil }
            return CivilTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
        }
        guard let parsed else { return nil }
        self = parsed
    }

    private static func padded(_ value: Int, _ width: Int = 2) -> String {
        let digits = String(value)
        return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
    }

    /// RFC 9110 IMF-fixdate.
    package var httpDate: String {
        let days = Int(secondsSince1970 / 86400)
        let weekday = Self.weekdays[(days % 7 + 7) % 7]
        return "\(weekday), \(Self.padded(day)) \(Self.months[month - 1]) \(Self.padded(year, 4)) "
            + "\(Self.padded(hour)):\(Self.padded(minute)):\(Self.padded(second)) GMT"
    }

    /// `20261121T030405Z`, the basic ISO 8601 form that Signature Version 4 uses.
    package var basic: String {
        "\(Self.padded(year, 4))\(Self.padded(month))\(Self.padded(day))T\(Self.padded(hour))\(Self.padded(minute))\(Self.padded(second))Z"
    }

    /// `2026-11-21T03:04:05Z`.
    package var rfc3339: String {
        "\(Self.padded(year, 4))-\(Self.padded(month))-\(Self.padded(day))"
            + "T\(Self.padded(hour)):\(Self.padded(minute)):\(Self.padded(second))Z"
    }

    /// From nanoseconds since 1970, also before it.
    package init(nanosecondsSince1970 nanoseconds: Int64) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            secondsSince1970: rest < 0 ? seconds - 1 : seconds, nanosecond: Int(rest < 0 ? rest + 1_000_000_000 : rest))
    }

    /// `2026-11-21T03:04:05.000000000Z`: always all nine digits, so that moments sort as text. Years 0 to 9999.
    package var rfc3339Nanoseconds: String {
        String(unsafeUninitializedCapacity: 30) { text in
            var end = 30
            func put(_ letter: Character) {
                end -= 1
                text[end] = letter.asciiValue!
            }
            func put(_ value: Int, digits: Int) {
                var value = value
                for _ in 0..<digits {
                    end -= 1
                    text[end] = UInt8(ascii: "0") + UInt8(value % 10)
                    value /= 10
                }
            }
            put("Z")
            put(nanosecond, digits: 9)
            put(".")
            put(second, digits: 2)
            put(":")
            put(minute, digits: 2)
            put(":")
            put(hour, digits: 2)
            put("T")
            put(day, digits: 2)
            put("-")
            put(month, digits: 2)
            put("-")
            put(year, digits: 4)
            return 30
        }
    }
}
