import Digests
package import ReplicationModel

/// One line of a combined report, in rclone's manner: a mark, a space, a key.
///
/// The key's bytes are written as they are, but for backslashes (`\\`), control and formatting characters and bytes that are not UTF-8
/// (`\xHH` per byte). So every key is one line, and comes back byte for byte.
package struct CombinedLine: Sendable, Hashable {
    package enum Mark: Character, Sendable, CaseIterable {
        case same = "="
        /// Missing at the source.
        case onlyInTarget = "-"
        /// Missing at the target.
        case onlyInSource = "+"
        case differs = "*"
        /// A side could not be looked at.
        case failed = "!"
        /// Nothing to compare by, or not in the sample.
        case unproven = "?"
    }

    package var mark: Mark
    package var key: ObjectKey

    package init(_ mark: Mark, _ key: ObjectKey) {
        self.mark = mark
        self.key = key
    }

    package struct SyntaxError: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads one line, without its end.
    package init(parsing line: some Collection<UInt8>) throws(SyntaxError) {
        let bytes = Array(line)
        guard bytes.count > 2, bytes[1] == UInt8(ascii: " "),
            let mark = Mark(rawValue: Character(Unicode.Scalar(bytes[0])))
        else {
            throw SyntaxError(description: "a line is one of = - + * ! ?, a space and a key")
        }
        self.mark = mark
        key = ObjectKey(try Self.unescape(bytes[2...]))
    }

    /// Without its end.
    package var text: String { "\(mark.rawValue) \(Self.escape(key))" }

    private static func escape(_ key: ObjectKey) -> String {
        var result = ""
        var rest = key.bytes[...]
        while !rest.isEmpty {
            var decoder = UTF8()
            var iterator = rest.makeIterator()
            guard case .scalarValue(let scalar) = decoder.decode(&iterator) else {
                result += hex(rest.removeFirst())
                continue
            }
            let width = UTF8.width(scalar)
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                for byte in rest.prefix(width) { result += hex(byte) }
            default:
                if scalar == "\\" { result += "\\\\" } else { result.unicodeScalars.append(scalar) }
            }
            rest = rest.dropFirst(width)
        }
        return result
    }

    private static func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "\\x0" + digits : "\\x" + digits
    }

    private static func unescape(_ text: ArraySlice<UInt8>) throws(SyntaxError) -> [UInt8] {
        var result: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            guard text[index] == UInt8(ascii: "\\") else {
                result.append(text[index])
                index += 1
                continue
            }
            let next = index + 1
            if next < text.endIndex, text[next] == UInt8(ascii: "\\") {
                result.append(UInt8(ascii: "\\"))
                index += 2
            } else if next + 2 < text.endIndex, text[next] == UInt8(ascii: "x"),
                let byte = Hex.decode(String(decoding: text[(next + 1)...(next + 2)], as: UTF8.self))?.first
            {
                result.append(byte)
                index += 4
            } else {
                throw SyntaxError(description: #"a backslash in a key is written \\, and other escapes are \xHH"#)
            }
        }
        return result
    }
}

extension KeyVerdict {
    /// Its mark in a combined report; nil when it is in none.
    package var mark: CombinedLine.Mark? {
        switch self {
        case .same: .same
        case .differs: .differs
        case .onlyInSource: .onlyInSource
        case .onlyInTarget: .onlyInTarget
        case .unproven(let doubt): doubt.isFailure ? .failed : .unproven
        case .gone: nil
        }
    }
}
