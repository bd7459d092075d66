import NIOCore

/// An XML answer in the making, written straight into the buffer that is sent.
struct XMLBuffer {
    private(set) var buffer: ByteBuffer

    init(capacity: Int = 512) {
        buffer = ByteBufferAllocator().buffer(capacity: capacity)
        buffer.writeStaticString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    /// Markup, written as it is.
    mutating func raw(_ markup: StaticString) {
        buffer.writeStaticString(markup)
    }

    /// Text that needs no escaping: numbers, dates, digests.
    mutating func plain(_ text: String) {
        buffer.writeString(text)
    }

    /// `<name>value</name>` with the value escaped.
    mutating func element(_ name: String, _ value: String) {
        buffer.writeInteger(UInt8(ascii: "<"))
        buffer.writeString(name)
        buffer.writeInteger(UInt8(ascii: ">"))
        escaped(value.utf8)
        buffer.writeStaticString("</")
        buffer.writeString(name)
        buffer.writeInteger(UInt8(ascii: ">"))
    }

    mutating func element(_ name: String, _ value: Int) {
        element(name, String(value))
    }

    /// The bytes with markup characters as references. Control characters become references too, as the service
    /// writes them although XML 1.0 has no such characters.
    mutating func escaped(_ bytes: some Collection<UInt8>) {
        guard bytes.contains(where: Self.needsEscape) else {
            buffer.writeBytes(bytes)
            return
        }
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "&"): buffer.writeStaticString("&amp;")
            case UInt8(ascii: "<"): buffer.writeStaticString("&lt;")
            case UInt8(ascii: ">"): buffer.writeStaticString("&gt;")
            case UInt8(ascii: "\""): buffer.writeStaticString("&quot;")
            case 0..<0x20, 0x7F: buffer.writeString("&#x\(String(byte, radix: 16));")
            default: buffer.writeInteger(byte)
            }
        }
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "&") || byte == UInt8(ascii: "<")
            || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "\"")
    }

    /// The bytes as `encoding-type=url` has them: form encoding that leaves `/` and `*` alone.
    mutating func formEncoded(_ bytes: some Collection<UInt8>) {
        for byte in bytes {
            if PercentCoding.isUnreserved(byte) && byte != UInt8(ascii: "~") || byte == UInt8(ascii: "/")
                || byte == UInt8(ascii: "*")
            {
                buffer.writeInteger(byte)
            } else if byte == UInt8(ascii: " ") {
                buffer.writeInteger(UInt8(ascii: "+"))
            } else {
                buffer.writeString(PercentCoding.encode(CollectionOfOne(byte)))
            }
        }
    }
}

extension XMLBuffer {
    mutating func open(_ name: String) {
        plain("<")
        plain(name)
        plain(">")
    }

    mutating func close(_ name: String) {
        plain("</")
        plain(name)
        plain(">")
    }
}
