/// Base64 as of RFC 4648, without line breaks.
package enum Base64 {
    /// With padding.
    package static func encode(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { encode($0) }
    }

    /// With padding.
    package static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
        encode(bytes, alphabet: standard, padded: true)
    }

    /// In the alphabet for URLs, without padding, as JSON Web Tokens want it.
    package static func encodeForURL(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { encode($0, alphabet: forURLs, padded: false) }
    }

    /// The bytes of a padded text in the standard alphabet, or nil where it is anything else.
    ///
    /// Strict: neither spaces nor bits that no byte uses, so that every value has one text.
    package static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0) }
    }

    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let forURLs = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let padding = UInt8(ascii: "=")

    /// The six bits of each letter of the standard alphabet; 255 for everything else.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, letter) in standard.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()

    private static func encode(_ bytes: UnsafeRawBufferPointer, alphabet: [UInt8], padded: Bool) -> String {
        let capacity = (bytes.count + 2) / 3 * 4
        return String(unsafeUninitializedCapacity: capacity) { text in
            var written = 0
            var index = 0
            while index < bytes.count {
                let here = min(3, bytes.count - index)
                var bits = UInt32(bytes[index]) << 16
                if here > 1 { bits |= UInt32(bytes[index + 1]) << 8 }
                if here > 2 { bits |= UInt32(bytes[index + 2]) }
                for letter in 0...here {
                    text[written] = alphabet[Int(bits >> (18 - 6 * UInt32(letter)) & 63)]
                    written += 1
                }
                if padded {
                    for _ in here..<3 {
                        text[written] = padding
                        written += 1
                    }
                }
                index += 3
            }
            return written
        }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var letters = text.count
        while letters > 0, text.count - letters < 2, text[letters - 1] == padding { letters -= 1 }

        var bytes: [UInt8] = []
        bytes.reserveCapacity(letters * 3 / 4)
        var bits: UInt32 = 0
        var count: UInt32 = 0
        for letter in text[..<letters] {
            let value = values[Int(letter)]
            guard value < 64 else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
                bits &= 1 << count - 1
            }
        }
        return bits == 0 ? bytes : nil
    }
}
