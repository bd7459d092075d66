/// Percent-encoding as RFC 3986 has it and all three clouds sign it: `A-Za-z0-9-._~` stay, the rest becomes upper-case
/// `%HH`.
package enum PercentEncoding {
    private static let hexDigits = Array("0123456789ABCDEF".utf8)

    /// One bit per byte value: unreserved characters.
    private static let unreserved: [Bool] = (0...255).map { value in
        switch UInt8(value) {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Encodes every byte that is not unreserved; `/` too unless `keepSlash`.
    package static func encode(_ bytes: some Sequence<UInt8>, keepSlash: Bool = false) -> String {
        bytes.withContiguousStorageIfAvailable { encode($0, keepSlash) }
            ?? Array(bytes).withUnsafeBufferPointer { encode($0, keepSlash) }
    }

    package static func encode(_ text: String, keepSlash: Bool = false) -> String {
        encode(text.utf8, keepSlash: keepSlash)
    }

    /// Decodes `%HH`, and `+` as a space when `plusIsSpace`. A `%` that no two hex digits follow stays as it is.
    package static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool = false) -> [UInt8] {
        bytes.withContiguousStorageIfAvailable { decode($0, plusIsSpace) }
            ?? Array(bytes).withUnsafeBufferPointer { decode($0, plusIsSpace) }
    }

    // Every listed key passes through these: on plain memory, since generic code is not specialised across modules.

    private static func encode(_ bytes: UnsafeBufferPointer<UInt8>, _ keepSlash: Bool) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 3) { text in
            var count = 0
            for byte in bytes {
                if unreserved[Int(byte)] || (keepSlash && byte == UInt8(ascii: "/")) {
                    text[count] = byte
                    count += 1
                } else {
                    text[count] = UInt8(ascii: "%")
                    text[count + 1] = hexDigits[Int(byte >> 4)]
                    text[count + 2] = hexDigits[Int(byte & 15)]
                    count += 3
                }
            }
            return count
        }
    }

    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ plusIsSpace: Bool) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { result, count in
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                if byte == UInt8(ascii: "%"), index + 2 < bytes.count, let high = nibble(bytes[index + 1]),
                    let low = nibble(bytes[index + 2])
                {
                    result[count] = high << 4 | low
                    index += 3
                } else {
                    result[count] = plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte
                    index += 1
                }
                count += 1
            }
        }
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
