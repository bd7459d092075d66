import Digests

/// User metadata as `x-ms-meta-` headers can carry it, and back.
///
/// Names must be C# identifiers there, in ASCII and without regard to case. Everything else of a name is escaped byte
/// by byte as `_xHH_` with two lower-case hexadecimal digits:
///
/// | in a name | at Azure |
/// |---|---|
/// | `A`–`Z` | folded to `a`–`z` |
/// | `a`–`z`, `_`, and `0`–`9` after the first character | as it is |
/// | `0`–`9` as the first character | `_x30_`–`_x39_` |
/// | `-` | `_x2d_` |
/// | `.` | `_x2e_` |
/// | any other byte of the name's UTF-8, such as `é` | `_xc3__xa9_` |
/// | `_` before `x` and two hexadecimal digits, where it would read as an escape | `_x5f_` |
///
/// A name at Azure with an escape that this table never makes (`_x61_`) is read as it stands, so that no two names
/// become one.
///
/// Values travel as they are when they are printable ASCII without blanks at the ends. All others, empty ones and those
/// that look like the result, are sent as one encoded word of RFC 2047: `=?UTF-8?B?…?=`.
package enum AzureMetadataNames {
    static let prefix = "x-ms-meta-"

    /// The name as Azure takes it; empty only for an empty name.
    package static func encode(_ name: String) -> String {
        let bytes = Array(fold(name).utf8)
        if isPlain(bytes) { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 16)
        for index in bytes.indices {
            if needsEscape(bytes, at: index) {
                result.append(contentsOf: "_x".utf8)
                result.append(contentsOf: Hex.encode([bytes[index]]).utf8)
                result.append(underscore)
            } else {
                result.append(bytes[index])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The name that `encode` made this of; any other name as it stands.
    package static func decode(_ name: String) -> String {
        let bytes = Array(name.utf8)
        if isPlain(bytes) { return name }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == underscore, index + 4 < bytes.count, bytes[index + 4] == underscore,
                let escaped = hexByte(bytes, at: index + 1)
            {
                result.append(escaped)
                index += 5
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        // Only what this table makes is undone: encoding must lead back to the same name.
        guard let decoded = String(validating: result, as: UTF8.self), encode(decoded) == name else { return name }
        return decoded
    }

    /// ASCII letters in lower case; others are escaped and keep theirs.
    static func fold(_ name: String) -> String {
        let upper = UInt8(ascii: "A")...UInt8(ascii: "Z")
        guard name.utf8.contains(where: { upper.contains($0) }) else { return name }
        return String(decoding: name.utf8.map { upper.contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
    }

    package static func encodeValue(_ value: String) -> String {
        isHeaderText(value) && !isWord(value) ? value : wordStart + Base64.encode(Array(value.utf8)) + wordEnd
    }

    package static func decodeValue(_ value: String) -> String {
        guard isWord(value) else { return value }
        guard let bytes = Base64.decode(String(value.dropFirst(wordStart.utf8.count).dropLast(wordEnd.utf8.count)))
        else { return value }
        return String(validating: bytes, as: UTF8.self) ?? value
    }

    /// Printable ASCII without blanks at the ends, not empty: what a header field carries unchanged, and nothing can
    /// add a field.
    static func isHeaderText(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != 0x20, text.utf8.last != 0x20 else { return false }
        return text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    private static let wordStart = "=?UTF-8?B?"
    private static let wordEnd = "?="
    private static let underscore = UInt8(ascii: "_")

    private static func isWord(_ value: String) -> Bool {
        value.hasPrefix(wordStart) && value.hasSuffix(wordEnd)
            && value.utf8.count >= wordStart.utf8.count + wordEnd.utf8.count
    }

    /// Whether nothing in the name is or reads as an escape: nearly all names.
    private static func isPlain(_ bytes: [UInt8]) -> Bool {
        bytes.indices.allSatisfy { !needsEscape(bytes, at: $0) }
    }

    private static func needsEscape(_ bytes: [UInt8], at index: Int) -> Bool {
        switch bytes[index] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): false
        case UInt8(ascii: "0")...UInt8(ascii: "9"): index == 0
        case underscore: hexByte(bytes, at: index + 1) != nil
        default: true
        }
    }

    /// The byte that `xHH` at that place stands for.
    private static func hexByte(_ bytes: [UInt8], at index: Int) -> UInt8? {
        guard index + 2 < bytes.count, bytes[index] == UInt8(ascii: "x") else { return nil }
        let digits = bytes[index + 1...index + 2]
        guard digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        return Hex.decode(String(decoding: digits, as: UTF8.self))?.first
    }
}
