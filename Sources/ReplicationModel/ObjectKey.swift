/// The name of an object: a byte string, compared as bytes.
///
/// Clouds order keys by their UTF-8 bytes, and file names need not be UTF-8 at all; `String` comparison
/// (Unicode canonical equivalence) would merge keys that are different objects.
package struct ObjectKey: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    package var isEmpty: Bool { bytes.isEmpty }

    /// The key as text; bytes that are not UTF-8 are shown as U+FFFD. For requests use `utf8`, which does not repair.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The key as text, or nil when its bytes are not valid UTF-8.
    package var utf8: String? { String(validating: bytes, as: UTF8.self) }

    package func hasPrefix(_ prefix: ObjectKey) -> Bool {
        bytes.starts(with: prefix.bytes)
    }

    package static func + (prefix: ObjectKey, suffix: ObjectKey) -> ObjectKey {
        ObjectKey(prefix.bytes + suffix.bytes)
    }
}

extension ObjectKey: Comparable {
    /// Byte order, as every cloud lists; a key sorts before the keys it is a prefix of.
    package static func < (a: ObjectKey, b: ObjectKey) -> Bool {
        a.bytes.withUnsafeBytes { left in
            b.bytes.withUnsafeBytes { right in
                let common = min(left.count, right.count)
                for index in 0..<common where left[index] != right[index] {
                    return left[index] < right[index]
                }
                return left.count < right.count
            }
        }
    }
}

extension ObjectKey: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) {
        self.init(value)
    }
}

extension ObjectKey: CustomStringConvertible {
    /// The key for people: control characters, quotes and bytes that are not UTF-8 are written as `\xHH`, so a hostile
    /// key cannot move the cursor of a terminal or forge a line of a log.
    package var description: String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\u{FFFD}" where utf8 == nil: result += "\\x??"
            case _
            where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                || scalar.properties.generalCategory == .lineSeparator
                || scalar.properties.generalCategory == .paragraphSeparator:
                for byte in String(scalar).utf8 {
                    let hex = String(byte, radix: 16)
                    result += hex.count == 1 ? "\\x0\(hex)" : "\\x\(hex)"
                }
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension ObjectKey: Codable {
    package init(from decoder: any Decoder) throws {
        self.bytes = try decoder.singleValueContainer().decode([UInt8].self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
