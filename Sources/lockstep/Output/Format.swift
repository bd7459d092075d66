import ReplicationModel

/// Numbers as people read them.
enum Format {
    static func bytes(_ count: Int64) -> String {
        guard count >= 1024 else { return "\(count) B" }
        var value = Double(count)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(fixed(value, value < 10 ? 2 : 1)) \(units[unit])"
    }

    static func rate(_ bytes: Int64, _ nanoseconds: Int64) -> String {
        guard nanoseconds > 0 else { return "–" }
        return Format.bytes(Int64(Double(bytes) / (Double(nanoseconds) / 1e9))) + "/s"
    }

    static func duration(_ nanoseconds: Int64) -> String {
        Duration.nanoseconds(nanoseconds).text
    }

    /// 1234567 as `1,234,567`.
    static func count(_ number: Int) -> String {
        var digits = String(number)[...]
        var groups: [Substring] = []
        while digits.count > 3 {
            groups.insert(digits.suffix(3), at: 0)
            digits = digits.dropLast(3)
        }
        return ([digits] + groups).joined(separator: ",")
    }

    static func objects(_ number: Int) -> String {
        number == 1 ? "1 object" : "\(count(number)) objects"
    }

    /// Nanoseconds since 1970 as `2026-11-21T03:04:05Z`; a dash for stores that do not say.
    static func time(_ nanoseconds: Int64) -> String {
        nanoseconds == 0 ? "-" : CivilTime(secondsSince1970: nanoseconds / 1_000_000_000).rfc3339
    }

    static func fixed(_ value: Double, _ places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let rounded = Int64((value * scale).rounded())
        guard places > 0 else { return "\(rounded)" }
        let fraction = String(rounded % Int64(scale))
        return "\(rounded / Int64(scale))." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
