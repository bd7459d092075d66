/// A place in the configuration's text, both from 1.
package struct TextPosition: Sendable, Hashable, Comparable {
    package let line: Int
    /// In Unicode scalars.
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (a: TextPosition, b: TextPosition) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// Something in the file that cannot be used: where, which key, why, and what was probably meant. Never holds a value.
package struct ConfigurationProblem: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let position: TextPosition
    /// `pairs.models.limits.rate`; empty for the document as a whole.
    package let path: String
    package let message: String
    /// What was probably meant.
    package let suggestion: String?

    package init(_ position: TextPosition, _ path: String, _ message: String, suggestion: String? = nil) {
        self.position = position
        self.path = path
        self.message = message
        self.suggestion = suggestion
    }

    /// `12:5: pairs.models.limits.raate: unknown key; did you mean 'rate'?`
    package var description: String {
        let subject = path.isEmpty ? "" : "\(path): "
        let end = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        return "\(position.line):\(position.column): \(subject)\(message)\(end)"
    }

    package static func < (a: ConfigurationProblem, b: ConfigurationProblem) -> Bool {
        (a.position, a.path, a.message) < (b.position, b.path, b.message)
    }
}

/// Everything that is wrong with a file, in the order of its lines.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// That are told at once; who has more to mend mends these first.
    package static let maxProblems = 50

    /// Not empty.
    package let problems: [ConfigurationProblem]
    /// Those that are not told.
    package let further: Int

    package init(_ problems: some Collection<ConfigurationProblem>) {
        precondition(!problems.isEmpty)
        let sorted = Set(problems).sorted()
        self.problems = Array(sorted.prefix(Self.maxProblems))
        further = sorted.count - self.problems.count
    }

    package var description: String {
        let lines = problems.map(\.description) + (further > 0 ? ["and \(further) more"] : [])
        return lines.joined(separator: "\n")
    }
}
