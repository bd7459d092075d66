import Yams

/// Finds where a key is written for the second time, and hides it, so that the rest of the document can be looked at.
///
/// Where it stands is tried, not guessed: when both are renamed alike and the parser complains about the new name, they are in one mapping.
struct RepeatedKey {
    /// Places that are tried, and the text that is worth it, bytes.
    private static let maxTries = 32
    private static let maxText = 64 << 10

    private let text: String
    /// Of the key as it is written first.
    private let first: TextPosition

    init(_ text: String, first: TextPosition) {
        self.text = text
        self.first = first
    }

    struct Hidden {
        let text: String
        let key: String
        let placeholder: String
        let position: TextPosition
    }

    /// - Parameter mark: what the key is replaced by, as often as it has characters, so that nothing moves.
    func hidden(_ mark: Unicode.Scalar) -> Hidden? {
        guard text.utf8.count <= Self.maxText else { return nil }
        let scalars = Array(text.unicodeScalars)
        guard let start = offset(of: first, in: scalars) else { return nil }
        let written = writtenKey(scalars[start...])
        guard !written.isEmpty else { return nil }
        let bare = Array(written.first == "\"" || written.first == "'" ? written.dropFirst().dropLast() : written[...])
        guard !bare.isEmpty else { return nil }
        let placeholder = String(String.UnicodeScalarView(bare.map { _ in mark }))
        var tries = 0
        var index = start + written.count
        while index + bare.count <= scalars.count, tries < Self.maxTries {
            guard scalars[index] == bare.first, isKey(bare, at: index, in: scalars) else {
                index += 1
                continue
            }
            tries += 1
            var changed = scalars
            changed.replaceSubrange(index..<index + bare.count, with: placeholder.unicodeScalars)
            let hidden = String(String.UnicodeScalarView(changed))
            let firstKey = start + (written.count - bare.count) / 2
            changed.replaceSubrange(firstKey..<firstKey + bare.count, with: placeholder.unicodeScalars)
            if repeatedKeys(in: String(String.UnicodeScalarView(changed))).contains(placeholder) {
                return Hidden(
                    text: hidden, key: String(String.UnicodeScalarView(bare)), placeholder: placeholder,
                    position: position(of: index, in: scalars))
            }
            index += bare.count
        }
        return nil
    }

    private func offset(of position: TextPosition, in scalars: [Unicode.Scalar]) -> Int? {
        var line = 1
        for (index, scalar) in scalars.enumerated() {
            if line == position.line {
                let start = index + position.column - 1
                return start < scalars.count ? start : nil
            }
            if scalar == "\n" { line += 1 }
        }
        return nil
    }

    private func position(of index: Int, in scalars: [Unicode.Scalar]) -> TextPosition {
        let before = scalars[..<index]
        let lineStart = before.lastIndex(of: "\n").map { $0 + 1 } ?? 0
        return TextPosition(line: before.count { $0 == "\n" } + 1, column: index - lineStart + 1)
    }

    /// With its quotes, if it has any.
    private func writtenKey(_ scalars: ArraySlice<Unicode.Scalar>) -> [Unicode.Scalar] {
        guard let quote = scalars.first, quote == "\"" || quote == "'" else {
            return Array(scalars.prefix { ![":", "\n", "\r", " "].contains($0) })
        }
        let inner = scalars.dropFirst().prefix { $0 != quote && $0 != "\n" }
        return [quote] + Array(inner) + [quote]
    }

    private func isKey(_ key: [Unicode.Scalar], at index: Int, in scalars: [Unicode.Scalar]) -> Bool {
        guard scalars[index..<index + key.count].elementsEqual(key) else { return false }
        var end = index + key.count
        if end < scalars.count, scalars[end] == "\"" || scalars[end] == "'" { end += 1 }
        while end < scalars.count, scalars[end] == " " { end += 1 }
        return end < scalars.count && scalars[end] == ":"
    }

    /// Of the first mapping that has any.
    private func repeatedKeys(in text: String) -> [String] {
        do {
            _ = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
            return []
        } catch YamlError.duplicatedKeysInMapping(let names, _) {
            return names
        } catch {
            return []
        }
    }
}
