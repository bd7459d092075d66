/// A number of bytes as people write it: `512M`, `1.5GiB`, `64k`. Suffixes are powers of 1024; `kB`, `MB`, `GB`, `TB` powers of 1000.
package struct ByteQuantity: Sendable, Hashable, CustomStringConvertible {
    package let bytes: Int64
    package let description: String

    package init?(_ text: String) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), value.isFinite else { return nil }
        let scale: Double
        switch text.dropFirst(number.count).lowercased() {
        case "", "b": scale = 1
        case "k", "ki", "kib": scale = 1024
        case "m", "mi", "mib": scale = 1_048_576
        case "g", "gi", "gib": scale = 1_073_741_824
        case "t", "ti", "tib": scale = 1_099_511_627_776
        case "kb": scale = 1e3
        case "mb": scale = 1e6
        case "gb": scale = 1e9
        case "tb": scale = 1e12
        default: return nil
        }
        guard value * scale < 9e18 else { return nil }
        bytes = Int64(value * scale)
        description = text
    }
}

/// A length of time as people write it: `90s`, `30m`, `2h`, `1d`, `1h30m`; a bare number means seconds.
package struct TimeQuantity: Sendable, Hashable, CustomStringConvertible {
    package let duration: Duration
    package let description: String

    package init?(_ text: String) {
        var seconds = 0.0
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number), value.isFinite else { return nil }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            switch unit {
            case "ms": seconds += value / 1000
            case "", "s": seconds += value
            case "m", "min": seconds += value * 60
            case "h": seconds += value * 3600
            case "d": seconds += value * 86400
            default: return nil
            }
        }
        guard seconds < 1e9 else { return nil }
        duration = .milliseconds(Int64(seconds * 1000))
        description = text
    }
}

/// How much one run may delete: a number of objects or a share of the target's objects.
package enum DeleteQuantity: Sendable, Hashable {
    case count(Int)
    case percent(Double)

    package init?(_ text: String) {
        if text.hasSuffix("%") {
            guard let value = Double(text.dropLast()), (0...100).contains(value) else { return nil }
            self = .percent(value)
        } else {
            guard let value = Int(text), value >= 0 else { return nil }
            self = .count(value)
        }
    }
}

/// A share of 100, written `5%` or `5`.
package struct PercentQuantity: Sendable, Hashable {
    package let percent: Double

    package init?(_ text: String) {
        guard let value = Double(text.hasSuffix("%") ? String(text.dropLast()) : text), value > 0, value <= 100 else {
            return nil
        }
        percent = value
    }
}
