/// Reads the INI dialect of `~/.aws/credentials` and `~/.aws/config`.
///
/// Sections in brackets, `name = value` lines, whole-line comments with `#` or `;`, and comments after a value when a
/// blank stands before them. An indented `name = value` belongs to the empty-valued property above it (`s3 =` in a
/// `services` section) and is stored as `s3.name`. A section that appears twice is one section; a later property wins.
/// No message ever quotes a line, because a broken line may hold a secret.
package struct AWSSharedFileParser {
    /// Section headers as written, blanks reduced to one, quotes removed: `default`, `profile work`.
    package private(set) var sections: [String: [String: String]] = [:]

    private let path: String
    private var section: String?
    private var parent: String?
    private var line = 0

    package init(_ text: String, path: String) throws(AWSSharedFileError) {
        self.path = path
        let body = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        for raw in body.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            line += 1
            try read(raw)
        }
    }

    private mutating func read(_ raw: Substring) throws(AWSSharedFileError) {
        let content = Self.trimmed(raw)
        guard let first = content.first, first != "#", first != ";" else { return }
        if first == "[" {
            section = try header(content)
            parent = nil
            sections[section!, default: [:]].merge([:]) { old, _ in old }
            return
        }
        guard let section else { throw error("a property stands before the first [section]") }
        guard let equals = content.firstIndex(of: "=") else {
            throw error("the line is neither a [section] nor `name = value`")
        }
        let name = Self.trimmed(content[..<equals]).lowercased()
        guard !name.isEmpty else { throw error("the property has no name before its `=`") }
        let value = Self.withoutComment(Self.trimmed(content[content.index(after: equals)...]))
        if raw.first == " " || raw.first == "\t", let parent {
            sections[section, default: [:]]["\(parent).\(name)"] = String(value)
        } else {
            parent = value.isEmpty ? name : nil
            sections[section, default: [:]][name] = String(value)
        }
    }

    private func header(_ content: Substring) throws(AWSSharedFileError) -> String {
        guard let close = content.firstIndex(of: "]") else { throw error("the section's `]` is missing") }
        let rest = Self.trimmed(content[content.index(after: close)...])
        guard rest.isEmpty || rest.first == "#" || rest.first == ";" else {
            throw error("text follows the section's `]`")
        }
        let words = content[content.index(after: content.startIndex)..<close].split(whereSeparator: \.isWhitespace)
        let name = words.joined(separator: " ").filter { $0 != "\"" && $0 != "'" }
        guard !name.isEmpty else { throw error("the section has no name") }
        return name
    }

    private func error(_ message: String) -> AWSSharedFileError {
        AWSSharedFileError(path: path, line: line, message: message)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text.drop { $0.isWhitespace }
    }

    /// Cuts ` # …` and ` ; …`; a comment sign without a blank before it belongs to the value.
    private static func withoutComment(_ value: Substring) -> Substring {
        if value.first == "#" || value.first == ";" { return "" }
        var previous: Character = "x"
        for index in value.indices {
            if value[index] == "#" || value[index] == ";", previous.isWhitespace { return trimmed(value[..<index]) }
            previous = value[index]
        }
        return value
    }
}

/// Why a shared configuration file or one of its profiles cannot be used.
package struct AWSSharedFileError: Error, Sendable, CustomStringConvertible {
    package var path: String
    /// From 1; 0 when the whole file is meant.
    package var line: Int
    package var message: String

    package var description: String { line > 0 ? "\(path), line \(line): \(message)" : "\(path): \(message)" }
}
