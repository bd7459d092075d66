/// Looks for anchors that aliases use before anything is built from the text: a few lines of them can stand for more values than fit
/// into memory.
///
/// Reads words, not YAML. It also finds those inside block text, which no configuration needs; those that seem to be inside quotes or a
/// comment may be there, or after an apostrophe in a text, and are let pass while they are too few to multiply.
enum AliasScan {
    private static let maxQuoted = 8

    private struct Word {
        var mark: Unicode.Scalar
        var name: String
        var position: TextPosition
        var isQuoted: Bool
    }

    /// Where the first alias of a name that is an anchor too stands.
    static func first(in text: String) -> TextPosition? {
        var words: [Word] = []
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() { collect(line, index + 1, &words) }
        let anchors = Set(words.lazy.filter { $0.mark == "&" }.map(\.name))
        let aliases = words.filter { $0.mark == "*" && anchors.contains($0.name) }
        let plain = aliases.first { !$0.isQuoted }
        return (plain ?? (aliases.count > maxQuoted ? aliases[0] : nil))?.position
    }

    private static func collect(_ scalars: Substring.UnicodeScalarView, _ line: Int, _ words: inout [Word]) {
        guard scalars.contains("&") || scalars.contains("*") else { return }
        var quote: Unicode.Scalar?
        var previous: Unicode.Scalar = " "
        var column = 0
        var index = scalars.startIndex
        while index < scalars.endIndex {
            let scalar = scalars[index]
            let isFirst = isSeparator(previous)
            column += 1
            if scalar == quote, previous != "\\" {
                quote = nil
            } else if quote == nil, isFirst, scalar == "\"" || scalar == "'" {
                quote = scalar
            } else if quote == nil, scalar == "#" {
                // Comments go to the end of the line, as if they were quoted.
                quote = "\n"
            } else if isFirst, scalar == "&" || scalar == "*" {
                let name = scalars[scalars.index(after: index)...].prefix { !isSeparator($0) && $0 != "]" && $0 != "}" }
                let position = TextPosition(line: line, column: column)
                if !name.isEmpty {
                    words.append(
                        Word(mark: scalar, name: String(name), position: position, isQuoted: quote != nil))
                }
            }
            previous = scalar
            index = scalars.index(after: index)
        }
    }

    private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
        [" ", "\t", "\r", "[", "{", ",", ":", "?", "-", "\"", "'"].contains(scalar)
    }
}
