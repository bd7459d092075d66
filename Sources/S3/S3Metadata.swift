import Digests
import HTTPTransport
import ReplicationModel

/// Values of user metadata in header fields.
///
/// ASCII travels as it is. Anything else is sent as one encoded word of RFC 2047 (`=?UTF-8?B?…?=`): S3 decodes it
/// before it stores the value and encodes it again when it answers; servers that know nothing of this return what they
/// got. Both are read alike.
package enum S3Metadata {
    static let prefix = "x-amz-meta-"

    /// Whether the value comes back as it was: no control characters, no blanks at its ends, nothing that reads as an
    /// encoded word.
    package static func canHold(_ value: String) -> Bool {
        guard !hasControlCharacters(value) else { return false }
        guard let first = value.utf8.first, let last = value.utf8.last else { return true }
        return first != 0x20 && last != 0x20 && firstWord(in: value[...]) == nil
    }

    /// C0, DEL and C1. Nearly every value is ASCII, so its bytes are looked at first.
    private static func hasControlCharacters(_ value: String) -> Bool {
        var isASCII = true
        for byte in value.utf8 {
            if byte < 0x20 || byte == 0x7F { return true }
            if byte >= 0x80 { isASCII = false }
        }
        return !isASCII && value.unicodeScalars.contains { (0x80...0x9F).contains($0.value) }
    }

    package static func encode(_ value: String) -> String {
        value.utf8.allSatisfy { $0 < 0x80 } ? value : "=?UTF-8?B?\(Base64.encode(Array(value.utf8)))?="
    }

    /// Decodes the encoded words of a value; words that no UTF-8 text hides in stay as they are.
    package static func decode(_ value: String) -> String {
        guard value.utf8.contains(UInt8(ascii: "=")), firstWord(in: value[...]) != nil else { return value }
        var result: [UInt8] = []
        var rest = value[...]
        var afterWord = false
        while let word = firstWord(in: rest) {
            let between = rest[..<word.range.lowerBound]
            // Blanks between two encoded words separate them and are not part of the text (RFC 2047, 6.2).
            if !(afterWord && between.allSatisfy(\.isWhitespace)) { result.append(contentsOf: between.utf8) }
            result.append(contentsOf: word.bytes)
            rest = rest[word.range.upperBound...]
            afterWord = true
        }
        result.append(contentsOf: rest.utf8)
        return String(validating: result, as: UTF8.self) ?? value
    }

    private static func firstWord(in text: Substring) -> (range: Range<Substring.Index>, bytes: [UInt8])? {
        guard text.utf8.contains(UInt8(ascii: "=")) else { return nil }
        var search = text
        while let start = search.firstRange(of: "=?") {
            if let word = word(at: start.lowerBound, in: text) { return word }
            search = text[start.upperBound...]
        }
        return nil
    }

    /// `=?charset?B|Q?text?=` at that place.
    private static func word(at start: Substring.Index, in text: Substring) -> (
        range: Range<Substring.Index>, bytes: [UInt8]
    )? {
        let fields = text[start...].dropFirst(2).split(separator: "?", maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count == 4, fields[3].first == "=", fields[0].lowercased() == "utf-8" else { return nil }
        let end = text.index(after: fields[3].startIndex)
        switch fields[1] {
        case "B", "b":
            guard let bytes = Base64.decode(String(fields[2])) else { return nil }
            return (start..<end, bytes)
        case "Q", "q":
            guard let bytes = quotedPrintable(fields[2].utf8) else { return nil }
            return (start..<end, bytes)
        default: return nil
        }
    }

    /// RFC 2047, 4.2: `_` is a blank, `=HH` a byte.
    private static func quotedPrintable(_ text: Substring.UTF8View) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "_"): result.append(UInt8(ascii: " "))
            case UInt8(ascii: "="):
                guard let escaped = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self)), escaped.count == 1
                else { return nil }
                result.append(escaped[0])
                rest = rest.dropFirst(2)
            case 0x21...0x7E: result.append(byte)
            default: return nil
            }
        }
        return result
    }
}

extension ObjectAttributes {
    /// From the headers of a reply to HEAD or GET.
    init(s3 headers: HTTPHeaders) {
        self.init(
            contentType: headers["content-type"], contentEncoding: headers["content-encoding"],
            contentLanguage: headers["content-language"], contentDisposition: headers["content-disposition"],
            cacheControl: headers["cache-control"])
        for field in headers.fields where field.name.hasPrefix(S3Metadata.prefix) {
            let name = String(field.name.dropFirst(S3Metadata.prefix.utf8.count))
            let value = S3Metadata.decode(field.value)
            // Repeated headers are one value, joined by commas.
            userMetadata[name] = userMetadata[name].map { "\($0),\(value)" } ?? value
        }
    }
}

extension HTTPHeaders {
    /// - Precondition: the attributes have passed `S3Rules.fit`, so no value can break out of its field.
    mutating func append(_ attributes: ObjectAttributes) {
        appendIfPresent("content-type", attributes.contentType)
        appendIfPresent("content-encoding", attributes.contentEncoding)
        appendIfPresent("content-language", attributes.contentLanguage)
        appendIfPresent("content-disposition", attributes.contentDisposition)
        appendIfPresent("cache-control", attributes.cacheControl)
        for (name, value) in attributes.userMetadata { append(S3Metadata.prefix + name, S3Metadata.encode(value)) }
    }
}
