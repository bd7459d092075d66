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

        var isRun: Bool { self == .anyRun || self == .anyRunAcrossFolders }

        /// Where one more byte leads from this element at `position`; nil when it does not match.
        func step(_ byte: UInt8, from position: Int) -> Int? {
            let isSlash = byte == UInt8(ascii: "/")
            return switch self {
            case .byte(let wanted): byte == wanted ? position + 1 : nil
            case .anyByte: isSlash ? nil : position + 1
            case .anyRun: isSlash ? nil : position
            case .anyRunAcrossFolders: position
            case .oneOf(let set, let negated): !isSlash && set.contains(byte) != negated ? position + 1 : nil
            }
        }
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

    /// Follows all positions of the pattern at once, so the work is bounded by pattern × key × folders: nothing backtracks.
    private static func matches(_ elements: [Element], _ key: ArraySlice<UInt8>) -> Bool {
        // `reachable[p]`: the bytes so far match the first `p` elements.
        var reachable = [Bool](repeating: false, count: elements.count + 1)
        var following = reachable
        /// A run may be empty: what reaches it reaches what comes after it too.
        func reach(_ position: Int, _ positions: inout [Bool]) {
            var position = position
            positions[position] = true
            while position < elements.count, elements[position].isRun {
                position += 1
                positions[position] = true
            }
        }
        reach(0, &reachable)
        for byte in key {
            var isAlive = false
            for position in elements.indices where reachable[position] {
                guard let next = elements[position].step(byte, from: position) else { continue }
                reach(next, &following)
                isAlive = true
            }
            guard isAlive else { return false }
            swap(&reachable, &following)
            for position in following.indices { following[position] = false }
        }
        return reachable[elements.count]
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
