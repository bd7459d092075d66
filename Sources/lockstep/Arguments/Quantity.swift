import ArgumentParser

/// A number of bytes as people write it: `512M`, `1.5GiB`, `64k`. Suffixes are powers of 1024; `kB`, `MB`, `GB`, `TB` powers of 1000.
struct ByteQuantity: ExpressibleByArgument, Hashable, CustomStringConvertible {
    let bytes: Int64
    let description: String

    init?(argument: String) {
        let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), value.isFinite else { return nil }
        let scale: Double
        switch argument.dropFirst(number.count).lowercased() {
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
        description = argument
    }
}

/// A length of time as people write it: `90s`, `30m`, `2h`, `1d`, `1h30m`; a bare number means seconds.
struct TimeQuantity: ExpressibleByArgument, Hashable {
    let duration: Duration

    init?(argument: String) {
        var seconds = 0.0
        var rest = argument[...]
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
    }
}

/// `--max-delete`: a number of objects or a share of the target's objects.
enum DeleteQuantity: ExpressibleByArgument, Hashable {
    case count(Int)
    case percent(Double)

    init?(argument: String) {
        if argument.hasSuffix("%") {
            guard let value = Double(argument.dropLast()), (0...100).contains(value) else { return nil }
            self = .percent(value)
        } else {
            guard let value = Int(argument), value >= 0 else { return nil }
            self = .count(value)
        }
    }
}
