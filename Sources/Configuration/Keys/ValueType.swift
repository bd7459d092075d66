/// Why a text is not a value of its type. Never holds the text.
struct ValueError: Error {
    let message: String
    var suggestion: String?

    init(_ message: String, suggestion: String? = nil) {
        self.message = message
        self.suggestion = suggestion
    }
}

/// What can stand behind a key in one word or line: how it is read, and how an editor knows it.
struct ValueType: Sendable {
    /// What JSON calls it.
    enum JSONType: String, Sendable {
        case string, integer, number, boolean
    }

    /// `a number of bytes such as 512M`.
    let name: String
    let json: [JSONType]
    /// ECMA 262, of the text; what it does not refuse, reading still may.
    var pattern: String?
    /// All of them, where they are few.
    var choices: [String] = []
    var minimum: Int?
    var maximum: Int?
    /// Whether `file:PATH` stands for the file's first line.
    var takesFile = false
    /// Whether it must not be written into the file itself.
    var isSecret = false
    let parse: @Sendable (String) throws(ValueError) -> any Sendable
}

extension ValueType {
    static let text = ValueType(name: "a text", json: [.string, .number]) { text throws(ValueError) in text }

    /// Relative ones start from the directory of the file.
    static func path(directory: String) -> ValueType {
        ValueType(name: "a path", json: [.string]) { text throws(ValueError) in
            guard !text.hasPrefix("~") else { throw ValueError("~ is not expanded: write the path from /") }
            return text.hasPrefix("/") ? text : directory + "/" + text
        }
    }

    static let flag = ValueType(
        name: "true or false", json: [.boolean, .string], choices: ["yes", "no", "on", "off"]
    ) { text throws(ValueError) in
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw ValueError("must be true or false")
        }
    }

    static let bytes = quantity(
        "a number of bytes such as 512M", #"^[0-9]+(\.[0-9]+)?([bB]|[kKmMgGtT]([iI]?[bB])?|[kKmMgGtT][iI])?$"#
    ) { ByteQuantity($0) }

    static let rate = quantity(
        "a number of bytes per second such as 20M", #"^[0-9]+(\.[0-9]+)?([bB]|[kKmMgGtT]([iI]?[bB])?|[kKmMgGtT][iI])?$"#
    ) { ByteQuantity($0) }

    static let duration = quantity(
        "a time such as 90s, 15m or 2h30m", #"^([0-9]+(\.[0-9]+)?(ms|s|m|min|h|d)?)+$"#
    ) { TimeQuantity($0) }

    static let percent = quantity("a share such as 5%", #"^[0-9]+(\.[0-9]+)?%?$"#) { PercentQuantity($0) }

    static let deletions = quantity(
        "a number of objects, or a share such as 5%", #"^([0-9]+|[0-9]+(\.[0-9]+)?%)$"#
    ) { DeleteQuantity($0) }

    private static func quantity<Value: Sendable>(
        _ name: String, _ pattern: String, _ parse: @escaping @Sendable (String) -> Value?
    ) -> ValueType {
        ValueType(name: name, json: [.string, .integer, .number], pattern: pattern, minimum: 0) {
            text throws(ValueError) in
            guard let value = parse(text) else { throw ValueError("must be \(name)") }
            return value
        }
    }

    static func integer(_ bounds: Bounds<Int>) -> ValueType {
        ValueType(
            name: "a whole number", json: [.integer], minimum: bounds.least, maximum: bounds.most
        ) { text throws(ValueError) in
            guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int(text) else {
                throw ValueError("must be a whole number")
            }
            // 010 is eight for some readers of YAML and ten for others.
            guard text == "0" || !text.hasPrefix("0") else {
                throw ValueError("must be a whole number without zeros before it", suggestion: String(value))
            }
            guard bounds.allows(value) else { throw ValueError(bounds.rule) }
            return value
        }
    }

    static func choice(_ choices: [String]) -> ValueType {
        let list =
            choices.count < 2 ? choices.joined() : choices.dropLast().joined(separator: ", ") + " or " + choices.last!
        return ValueType(name: list, json: [.string], choices: choices) { text throws(ValueError) in
            guard choices.contains(text) else {
                throw ValueError("must be \(list)", suggestion: Nearest.of(text, in: choices))
            }
            return text
        }
    }
}
