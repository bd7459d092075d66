/// CRC-32 (zlib's polynomial), which most S3 SDKs send by default; slicing by sixteen.
enum CRC32 {
    /// `tables[k][b]` is the CRC of byte `b` followed by `k` zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 16 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xEDB8_8320) }
            tables[byte] = crc
        }
        for k in 1..<16 {
            for byte in 0..<256 {
                let previous = tables[(k - 1) * 256 + byte]
                tables[k * 256 + byte] = previous >> 8 ^ tables[Int(previous & 255)]
            }
        }
        return tables
    }()

    /// Continues a final value over more bytes; 0 is the CRC of nothing.
    static func update(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var state = ~crc
            var offset = 0
            while bytes.count - offset >= 16 {
                let a = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) ^ state
                let b = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
                let c = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
                let d = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                state = word(a, 15, table) ^ word(b, 11, table) ^ word(c, 7, table) ^ word(d, 3, table)
                offset += 16
            }
            for byte in bytes[offset...] { state = state >> 8 ^ table[Int((state ^ UInt32(byte)) & 255)] }
            return ~state
        }
    }

    /// The four bytes of `value`, of which the lowest has `highest` bytes behind it in its block of sixteen.
    @inline(__always)
    private static func word(_ value: UInt32, _ highest: Int, _ table: UnsafeBufferPointer<UInt32>) -> UInt32 {
        table[highest * 256 + Int(value & 255)] ^ table[(highest - 1) * 256 + Int(value >> 8 & 255)]
            ^ table[(highest - 2) * 256 + Int(value >> 16 & 255)] ^ table[(highest - 3) * 256 + Int(value >> 24)]
    }

    /// The CRC of a's bytes followed by b's: x^(8·|B|) ⊗ crc(A) ⊕ crc(B), reflected.
    static func combine(_ a: UInt32, _ b: UInt32, lengthOfB: Int) -> UInt32 {
        // x^8, squared for every bit of the length.
        var power: UInt32 = 0x0080_0000
        var shifted = a
        var rest = lengthOfB
        while rest > 0 {
            if rest & 1 == 1 { shifted = multiply(power, shifted) }
            power = multiply(power, power)
            rest >>= 1
        }
        return shifted ^ b
    }

    private static func multiply(_ a: UInt32, _ b: UInt32) -> UInt32 {
        var a = a
        var multiple = b
        var product: UInt32 = 0
        while a != 0 {
            if a & 0x8000_0000 != 0 { product ^= multiple }
            a <<= 1
            multiple = multiple >> 1 ^ (multiple & 1 == 0 ? 0 : 0xEDB8_8320)
        }
        return product
    }
}
