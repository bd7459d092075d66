/// Writes the XML documents of the Blob service into one growing array of bytes.
struct AzureXML {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 512) {
        bytes.reserveCapacity(capacity)
        // The service starts its documents with a byte order mark, and so clients must cope with one.
        append("\u{FEFF}")
        append(#"<?xml version="1.0" encoding="utf-8"?>"#)
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// `markup` goes into the document as it is.
    mutating func append(markup: String) {
        bytes.append(contentsOf: markup.utf8)
    }

    mutating func open(_ name: String) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
    }

    mutating func close(_ name: String) {
        bytes.append(UInt8(ascii: "<"))
        bytes.append(UInt8(ascii: "/"))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
    }

    /// `<name>value</name>`, or `<name />` when the value is empty.
    mutating func element(_ name: String, _ value: String) {
        if value.isEmpty {
            bytes.append(UInt8(ascii: "<"))
            bytes.append(contentsOf: name.utf8)
            append(" />")
            return
        }
        open(name)
        escaped(value.utf8)
        close(name)
    }

    mutating func element(_ name: String, _ value: Int) {
        open(name)
        bytes.append(contentsOf: String(value).utf8)
        close(name)
    }

    /// A blob's name: as text where XML 1.0 can carry it, else percent-encoded and marked `Encoded="true"`.
    mutating func nameElement(_ name: ObjectName, called element: String = "Name") {
        if Self.canCarry(name.bytes) {
            open(element)
            escaped(name.bytes)
        } else {
            bytes.append(UInt8(ascii: "<"))
            bytes.append(contentsOf: element.utf8)
            append(" Encoded=\"true\">")
            PercentCoding.appendEncoded(name.bytes, keepingSlash: true, to: &bytes)
        }
        close(element)
    }

    mutating func escaped(_ text: some Collection<UInt8>) {
        guard text.contains(where: Self.needsEscape) else {
            bytes.append(contentsOf: text)
            return
        }
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"): append("&amp;")
            case UInt8(ascii: "<"): append("&lt;")
            case UInt8(ascii: ">"): append("&gt;")
            case UInt8(ascii: "\""): append("&quot;")
            // A parser turns a bare carriage return into a line feed.
            case UInt8(ascii: "\r"): append("&#xD;")
            default: bytes.append(byte)
            }
        }
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "\r"): true
        default: false
        }
    }

    /// Whether every character is one that XML 1.0 allows: no control but tab and line feeds, no U+FFFE and U+FFFF.
    static func canCarry(_ name: [UInt8]) -> Bool {
        var index = 0
        while index < name.count {
            let byte = name[index]
            if byte < 0x20 && byte != 0x09 && byte != 0x0A && byte != 0x0D { return false }
            if byte == 0xEF, index + 2 < name.count, name[index + 1] == 0xBF, name[index + 2] >= 0xBE { return false }
            index += 1
        }
        return true
    }
}
