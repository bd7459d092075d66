import Digests
import Testing

/// Published values, and the folded way against the definition.
struct CRC32Tests {
    @Test(arguments: [("", 0), ("a", 0xE8B7_BE43), ("123456789", 0xCBF4_3926)] as [(String, UInt32)])
    func publishedValues(text: String, value: UInt32) {
        Array(text.utf8).withUnsafeBytes { #expect(CRC32.update(0, $0) == value) }
    }

    private static func byDefinition(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        ~bytes.reduce(~0) { running, byte in
            (0..<8).reduce(running ^ UInt32(byte)) { value, _ in
                (value >> 1) ^ (value & 1 == 1 ? 0xEDB8_8320 : 0)
            }
        }
    }

    /// Lengths around the block sizes of every kernel, from an odd address.
    @Test func everyLength() {
        let bytes = (0..<4200).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 5) }
        bytes.withUnsafeBytes { bytes in
            for length in Array(0...520) + [1023, 1024, 1025, 2047, 2048, 2049, 4096, 4199] {
                let part = UnsafeRawBufferPointer(rebasing: bytes[1..<max(1, min(1 + length, bytes.count))])
                #expect(CRC32.update(0, part) == Self.byDefinition(part), "\(length) bytes")
            }
        }
    }

    @Test func continues() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        bytes.withUnsafeBytes { bytes in
            for cut in [0, 1, 15, 16, 17, 500, 1000] {
                let first = CRC32.update(0, UnsafeRawBufferPointer(rebasing: bytes[..<cut]))
                #expect(CRC32.update(first, UnsafeRawBufferPointer(rebasing: bytes[cut...])) == CRC32.update(0, bytes))
            }
        }
    }
}
