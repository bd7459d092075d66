/// Metrics in the text format 0.0.4 of Prometheus: families one after the other, each with its help, its type and its samples.
package struct PrometheusText: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// What `Content-Type` says of it.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""
    private var name = ""
    /// Help and type of the family, until it has a sample.
    private var head = ""

    package init() {}

    /// Begins a family; one that gets no samples is left out.
    package mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        head = "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// A sample of the family that was begun last.
    package mutating func add(_ value: Double, _ labels: [(String, String)] = [], suffix: String = "") {
        text += head + name + suffix
        head = ""
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    package mutating func add(_ value: Int, _ labels: [(String, String)] = []) {
        add(Double(value), labels)
    }

    package mutating func add(_ value: Int64, _ labels: [(String, String)] = []) {
        add(Double(value), labels)
    }

    /// All samples of one histogram.
    /// - Parameters:
    ///   - bounds: upper ends in seconds.
    ///   - counts: one more than bounds, each of its own class.
    package mutating func add(bounds: [Double], counts: [Int], sum: Double, _ labels: [(String, String)]) {
        var total = 0
        for (bound, count) in zip(bounds, counts) {
            total += count
            add(Double(total), labels + [("le", Self.number(bound))], suffix: "_bucket")
        }
        total += counts.last ?? 0
        add(Double(total), labels + [("le", "+Inf")], suffix: "_bucket")
        add(sum, labels, suffix: "_sum")
        add(Double(total), labels, suffix: "_count")
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 9e15 { return String(Int64(value)) }
        return "\(value)"
    }
}
