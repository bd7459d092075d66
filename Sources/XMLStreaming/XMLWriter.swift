/// Writes a document as UTF-8, with everything escaped that is not markup.
///
///     var writer = XMLWriter()
///     writer.element("Delete") { writer in
///         writer.element("Quiet", text: "true")
///     }
///     send(writer.bytes)
package struct XMLWriter {
    package private(set) var bytes: [UInt8] = []

    /// Starts with the XML declaration, or with nothing for a part of a document.
    package init(declaration: Bool = true) {
        if declaration { bytes.append(contentsOf: #"<?xml version="1.0" encoding="UTF-8"?>"#.utf8) }
    }

    /// An element with others in it.
    package mutating func element(
        _ name: String, attributes: KeyValuePairs<String, String> = [:],
        _ content: (inout XMLWriter) throws -> Void
    ) rethrows {
        start(name, attributes: attributes)
        try content(&self)
        end(name)
    }

    /// An element with text in it.
    package mutating func element(
        _ name: String, attributes: KeyValuePairs<String, String> = [:], text value: some StringProtocol
    ) {
        start(name, attributes: attributes)
        text(value)
        end(name)
    }

    /// An element with a number in it.
    package mutating func element(_ name: String, number: some BinaryInteger) {
        element(name, text: String(number))
    }

    /// The beginning of an element whose end is written later.
    package mutating func start(_ name: String, attributes: KeyValuePairs<String, String> = [:]) {
        precondition(isXMLName(name), "\(name) is no name of an element")
        bytes.append(UInt8(ascii: "<"))
        bytes.append(contentsOf: name.utf8)
        for (attribute, value) in attributes {
            precondition(isXMLName(attribute), "\(attribute) is no name of an attribute")
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: attribute.utf8)
            bytes.append(contentsOf: #"=""#.utf8)
            appendEscaped(value.utf8, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func end(_ name: String) {
        bytes.append(contentsOf: "</".utf8)
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ">"))
    }

    package mutating func text(_ value: some StringProtocol) {
        appendEscaped(value.utf8, to: &bytes)
    }

    /// Bytes that are UTF-8 already, such as those of a key.
    package mutating func text(utf8 value: some Sequence<UInt8>) {
        appendEscaped(value, to: &bytes)
    }
}

/// The text with markup, quotes and control characters as references, for content and for attributes.
///
/// References to most control characters are no XML 1.0, yet they are what S3 itself writes and what its clients read; ask
/// for url-encoded listings where keys may have them.
package func xmlEscape(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    appendEscaped(text.utf8, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

private func appendEscaped(_ text: some Sequence<UInt8>, to bytes: inout [UInt8]) {
    for byte in text {
        switch byte {
        case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
        case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
        case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
        case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
        case 0..<0x20, 0x7F: bytes.append(contentsOf: "&#x\(String(byte, radix: 16, uppercase: true));".utf8)
        default: bytes.append(byte)
        }
    }
}

/// Whether the text can name an element or attribute; of what is not ASCII everything is let through.
package func isXMLName(_ text: String) -> Bool {
    guard let first = text.utf8.first else { return false }
    func isStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), 0x80...:
            true
        default: false
        }
    }
    func isFurther(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: isStart(byte)
        }
    }
    return isStart(first) && text.utf8.dropFirst().allSatisfy(isFurther)
}
