import ReplicationModel

/// An object's attributes as JSON in one fixed form: equal attributes give equal bytes.
///
/// Nothing at all for no attributes. Else an object without spaces: `cacheControl`, `contentDisposition`, `contentEncoding`,
/// `contentLanguage`, `contentType`, `userMetadata`, in this order, each only when there is one; `userMetadata` is an object of strings,
/// its names in the order of their UTF-8 bytes. In strings `"` and `\` are preceded by `\`, U+0000 to U+001F are `\u00XX`
/// (lower-case digits), everything else is UTF-8 as it is.
///
/// Written and read by hand: a listing writes one text for each object, and a general JSON reader takes ten times as long.
enum AttributesText {
    private static let names = [
        "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType",
    ]

    static func encode(_ attributes: ObjectAttributes) -> [UInt8] {
        var text: [UInt8] = []
        func begin(_ name: String) {
            text.append(UInt8(ascii: text.isEmpty ? "{" : ","))
            appendQuoted(name, to: &text)
            text.append(UInt8(ascii: ":"))
        }
        func append(_ index: Int, _ value: String?) {
            guard let value else { return }
            begin(names[index])
            appendQuoted(value, to: &text)
        }
        append(0, attributes.cacheControl)
        append(1, attributes.contentDisposition)
        append(2, attributes.contentEncoding)
        append(3, attributes.contentLanguage)
        append(4, attributes.contentType)
        if !attributes.userMetadata.isEmpty {
            begin("userMetadata")
            var isFirst = true
            for (name, value) in attributes.userMetadata.sorted(by: {
                $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
            }) {
                text.append(UInt8(ascii: isFirst ? "{" : ","))
                isFirst = false
                appendQuoted(name, to: &text)
                text.append(UInt8(ascii: ":"))
                appendQuoted(value, to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
        if !text.isEmpty { text.append(UInt8(ascii: "}")) }
        return text
    }

    /// nil when the text is not what `encode` writes.
    static func decode(_ text: UnsafeRawBufferPointer) -> ObjectAttributes? {
        var attributes = ObjectAttributes()
        guard !text.isEmpty else { return attributes }
        var reader = Reader(text: text)
        guard reader.skip("{") else { return nil }
        var next = 0
        repeat {
            guard let name = reader.string(), reader.skip(":") else { return nil }
            if let index = names[next...].firstIndex(of: name) {
                guard let value = reader.string() else { return nil }
                set(index, value, &attributes)
                next = index + 1
            } else {
                guard name == "userMetadata", let metadata = reader.metadata() else { return nil }
                attributes.userMetadata = metadata
                return reader.skip("}") && reader.isAtEnd ? attributes : nil
            }
        } while reader.skip(",")
        return reader.skip("}") && reader.isAtEnd ? attributes : nil
    }

    private static func set(_ index: Int, _ value: String, _ attributes: inout ObjectAttributes) {
        switch index {
        case 0: attributes.cacheControl = value
        case 1: attributes.contentDisposition = value
        case 2: attributes.contentEncoding = value
        case 3: attributes.contentLanguage = value
        default: attributes.contentType = value
        }
    }

    private static func appendQuoted(_ value: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            text.append(contentsOf: value.utf8)
        } else {
            appendEscaped(value, to: &text)
        }
        text.append(UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ value: String, to text: inout [UInt8]) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0..<0x20:
                text.append(contentsOf: "\\u00".utf8)
                text.append(UInt8(ascii: byte < 0x10 ? "0" : "1"))
                text.append(contentsOf: String(byte & 15, radix: 16).utf8)
            default: text.append(byte)
            }
        }
    }

    private struct Reader {
        let text: UnsafeRawBufferPointer
        var position = 0

        var isAtEnd: Bool { position == text.count }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
            position += 1
            return true
        }

        mutating func string() -> String? {
            guard skip("\"") else { return nil }
            var bytes: [UInt8] = []
            while position < text.count {
                let byte = text[position]
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(validating: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = escaped() else { return nil }
                    bytes.append(escaped)
                case 0..<0x20: return nil
                default: bytes.append(byte)
                }
            }
            return nil
        }

        private mutating func escaped() -> UInt8? {
            if skip("\"") { return UInt8(ascii: "\"") }
            if skip("\\") { return UInt8(ascii: "\\") }
            guard skip("u"), skip("0"), skip("0"), position + 2 <= text.count else { return nil }
            let digits = text[position..<position + 2]
            position += 2
            guard digits.allSatisfy({ !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value < 0x20
            else { return nil }
            return value
        }

        /// At least one pair, names rising.
        mutating func metadata() -> [String: String]? {
            guard skip("{") else { return nil }
            var metadata: [String: String] = [:]
            var previous: String?
            repeat {
                guard let name = string(), skip(":"), let value = string() else { return nil }
                if let previous, !previous.utf8.lexicographicallyPrecedes(name.utf8) { return nil }
                previous = name
                guard metadata.updateValue(value, forKey: name) == nil else { return nil }
            } while skip(",")
            return skip("}") ? metadata : nil
        }
    }
}
