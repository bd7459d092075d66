/// A file-name pattern over key bytes, as rsync and rclone write them.
///
/// `*` any run of bytes without `/`, `**` any run, `?` one byte but `/`, `[a-z]` `[!a-z]` one of a class, `{a,b}` alternatives, `\` quotes.
/// A pattern that starts with `/` is anchored at the location's root; any other matches at the end of the key after any `/`.
/// A pattern that ends in `/` means everything below that folder.
package struct GlobPattern: Sendable, Hashable {
    private enum Element: Sendable, Hashable {
        case byte(UInt8)
        case anyByte
        case anyRun
        case anyRunAcrossFolders
        case oneOf(Set<UInt8>, negated: Bool)
    }

    package struct SyntaxError: Error, CustomStringConvertible {
        package let description: String
    }

    package let text: String
    private let alternatives: [[Element]]
    private let anchored: Bool

    /// Alternatives that one pattern may expand to.
    static let maxAlternatives = 1000

    package init(_ text: String) throws(SyntaxError) {
        guard !text.isEmpty else { throw SyntaxError(description: "an empty pattern matches nothing") }
        self.text = text
        var body = Array(text.utf8)
        anchored = body.first == UInt8(ascii: "/")
        if anchored { body.removeFirst() }
        if body.last == UInt8(ascii: "/") { body += Array("**".utf8) }
        let expanded = try Self.expand(body, pattern: text)
        var parsed: [[Element]] = []
        for alternative in expanded { parsed.append(try Self.parse(alternative, pattern: text)) }
        alternatives = parsed
    }

    package func matches(_ key: [UInt8]) -> Bool {
        alternatives.contains { elements in
            if Self.matches(elements, key[...]) { return true }
            guard !anchored else { return false }
            var index = key.startIndex
            while let slash = key[index...].firstIndex(of: UInt8(ascii: "/")) {
                index = slash + 1
                if Self.matches(elements, key[index...]) { return true }
            }
            return false
        }
    }

    /// Backtracks to the last run only (one for each kind), so the work is bounded by pattern × key × folders.
    private static func matches(_ elements: [Element], _ key: ArraySlice<UInt8>) -> Bool {
        var reachable = Set<Int>([0])
        func closure(_ positions: Set<Int>) -> Set<Int> {
            var result = positions
            for position in positions {
                var next = position
                while next < elements.count, elements[next] == .anyRun || elements[next] == .anyRunAcrossFolders {
                    next += 1
                    result.insert(next)
                }
            }
            return result
        }
        reachable = closure(reachable)
        for byte in key {
            var following = Set<Int>()
            for position in reachable where position < elements.count {
                switch elements[position] {
                case .byte(let wanted): if byte == wanted { following.insert(position + 1) }
                case .anyByte: if byte != UInt8(ascii: "/") { following.insert(position + 1) }
                case .anyRun: if byte != UInt8(ascii: "/") { following.insert(position) }
                case .anyRunAcrossFolders: following.insert(position)
                case .oneOf(let set, let negated):
                    if set.contains(byte) != negated, byte != UInt8(ascii: "/") { following.insert(position + 1) }
                }
            }
            if following.isEmpty { return false }
            reachable = closure(following)
        }
        return reachable.contains(elements.count)
    }

    private static func parse(_ bytes: [UInt8], pattern: String) throws(SyntaxError) -> [Element] {
        var elements: [Element] = []
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "*"):
                if index < bytes.count, bytes[index] == UInt8(ascii: "*") {
                    index += 1
                    // `**/` also matches no folder at all.
                    if index < bytes.count, bytes[index] == UInt8(ascii: "/"), elements.isEmpty { index += 1 }
                    elements.append(.anyRunAcrossFolders)
                } else {
                    elements.append(.anyRun)
                }
            case UInt8(ascii: "?"): elements.append(.anyByte)
            case UInt8(ascii: "["): elements.append(try parseClass(bytes, &index, pattern: pattern))
            case UInt8(ascii: "\\"):
                guard index < bytes.count else {
                    throw SyntaxError(description: "'\(pattern)' ends in a single backslash")
                }
                elements.append(.byte(bytes[index]))
                index += 1
            default: elements.append(.byte(byte))
            }
        }
        return elements
    }

    private static func parseClass(_ bytes: [UInt8], _ index: inout Int, pattern: String) throws(SyntaxError) -> Element
    {
        var set = Set<UInt8>()
        var negated = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "!") || bytes[index] == UInt8(ascii: "^") {
            negated = true
            index += 1
        }
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "]") || index == start {
            let low = bytes[index]
            if index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "-"), bytes[index + 2] != UInt8(ascii: "]") {
                guard low <= bytes[index + 2] else {
                    throw SyntaxError(description: "'\(pattern)' has a class whose range runs backwards")
                }
                set.formUnion(low...bytes[index + 2])
                index += 3
            } else {
                set.insert(low)
                index += 1
            }
        }
        guard index < bytes.count else { throw SyntaxError(description: "'\(pattern)' has a [ without its ]") }
        index += 1
        return .oneOf(set, negated: negated)
    }

    /// Expands `{a,b}` to alternatives, innermost last.
    private static func expand(_ bytes: [UInt8], pattern: String) throws(SyntaxError) -> [[UInt8]] {
        guard let open = unquoted(bytes, UInt8(ascii: "{"), from: 0) else { return [bytes] }
        var depth = 0
        var index = open
        var commas: [Int] = []
        var close: Int?
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ",") where depth == 1: commas.append(index)
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { close = index }
            default: break
            }
            if close != nil { break }
            index += 1
        }
        guard let close else { throw SyntaxError(description: "'\(pattern)' has a { without its }") }
        var result: [[UInt8]] = []
        var start = open + 1
        for end in commas + [close] {
            result += try expand(bytes[..<open] + bytes[start..<end] + bytes[(close + 1)...], pattern: pattern)
            if result.count > maxAlternatives {
                throw SyntaxError(description: "'\(pattern)' has more than \(maxAlternatives) alternatives")
            }
            start = end + 1
        }
        return result
    }

    private static func expand(_ bytes: ArraySlice<UInt8>, pattern: String) throws(SyntaxError) -> [[UInt8]] {
        try expand(Array(bytes), pattern: pattern)
    }

    private static func unquoted(_ bytes: [UInt8], _ wanted: UInt8, from: Int) -> Int? {
        var index = from
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") {
                index += 2
                continue
            }
            if bytes[index] == wanted { return index }
            index += 1
        }
        return nil
    }
}
