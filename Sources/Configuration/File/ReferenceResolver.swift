/// What the file may refer to outside of itself.
package struct ConfigurationSurroundings: Sendable {
    let environment: [String: String]
    /// Relative paths start from there.
    let directory: String
    /// The bytes of a file, at most so many; throws what is wrong with it, for people.
    let readFile: @Sendable (_ path: String, _ limit: Int) throws(FileReadError) -> [UInt8]

    package init(
        environment: [String: String], directory: String,
        readFile: @escaping @Sendable (_ path: String, _ limit: Int) throws(FileReadError) -> [UInt8]
    ) {
        self.environment = environment
        self.directory = directory
        self.readFile = readFile
    }
}

/// Why a file cannot be read, without its path: `No such file or directory`.
package struct FileReadError: Error, Sendable {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}

/// Puts variables and files in the place of references to them.
struct ReferenceResolver {
    /// A secret is one line; who names a file of another kind has named the wrong one.
    private static let maxFile = 64 << 10
    private static let mark = "${"

    let surroundings: ConfigurationSurroundings

    struct Resolved {
        var text: String
        /// Whether a part comes from elsewhere, and must not be shown.
        var isForeign: Bool
    }

    func resolve(_ text: String, for type: ValueType) throws(ValueError) -> Resolved {
        var resolved = try substituteVariables(text)
        if type.takesFile, text.hasPrefix("file:") {
            let path = String(resolved.text.dropFirst("file:".count))
            // A path that holds a variable is shown as it is written: the variable may be the secret itself, by mistake.
            let shown = resolved.isForeign ? String(text.dropFirst("file:".count)) : surroundings.absolute(path)
            return Resolved(text: try firstLine(of: path, shown: shown), isForeign: true)
        }
        if type.isSecret, !resolved.isForeign {
            throw ValueError("a secret is not written into this file: refer to it by ${env:NAME} or file:PATH")
        }
        resolved.isForeign = resolved.isForeign || type.takesFile
        return resolved
    }

    private func substituteVariables(_ text: String) throws(ValueError) -> Resolved {
        var result = Resolved(text: "", isForeign: false)
        var rest = text[...]
        while let start = rest.firstRange(of: Self.mark) {
            result.text += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            if result.text.hasSuffix("$") {
                // `$${` is how a text with `${` is written.
                result.text += "{"
                continue
            }
            guard let end = rest.firstIndex(of: "}"), rest.hasPrefix("env:") else {
                throw ValueError("${ begins a reference to a variable, ${env:NAME}; write $${ for the characters")
            }
            let name = String(rest[..<end].dropFirst("env:".count))
            result.text += try variable(name)
            result.isForeign = true
            rest = rest[rest.index(after: end)...]
        }
        result.text += rest
        return result
    }

    private func variable(_ name: String) throws(ValueError) -> String {
        let isName = name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil
        guard isName else { throw ValueError("${env:…} names a variable: letters, digits and _") }
        guard let value = surroundings.environment[name] else {
            throw ValueError(
                "the variable \(name) is not set", suggestion: Nearest.of(name, in: surroundings.environment.keys))
        }
        guard !value.isEmpty else { throw ValueError("the variable \(name) is empty") }
        return value
    }

    private func firstLine(of path: String, shown place: String) throws(ValueError) -> String {
        guard !path.isEmpty else { throw ValueError("file: names no file") }
        let bytes: [UInt8]
        do throws(FileReadError) {
            bytes = try surroundings.readFile(surroundings.absolute(path), Self.maxFile)
        } catch {
            throw ValueError("the file \(place) cannot be read: \(error.reason)")
        }
        var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        guard !line.isEmpty else { throw ValueError("the file \(place) begins with an empty line") }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw ValueError("the file \(place) is not UTF-8")
        }
        return text
    }
}

extension ConfigurationSurroundings {
    func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}
