import Digests
import TestFixtures
import Testing

struct CombinationTests {
    @Test func publishedSplit() {
        #expect(CRC32C.combine(0xF63A_F4EE, 0x83B5_65D8, lengthOfB: 5) == 0xE306_9283)
        #expect(
            CRC64NVME.combine(0x29F5_DBE7_E2FF_71D4, 0xF87D_C887_176C_E667, lengthOfB: 5) == 0xAE8B_1486_0A79_9888)
    }

    /// What a length multiplies by shows when the first checksum is 1, the top bit, and the second nothing.
    @Test func publishedPowers() {
        #expect(CRC32C.combine(1 << 31, 0, lengthOfB: 5) == 0xFBC3_FAF9)
        #expect(CRC64NVME.combine(1 << 63, 0, lengthOfB: 5) == 0x0000_0000_0080_0000)
        #expect(CRC32C.combine(1 << 31, 0, lengthOfB: 1 << 20) == 0x5972_6915)
        #expect(CRC64NVME.combine(1 << 63, 0, lengthOfB: 1 << 20) == 0x347A_9532_3237_4F07)
    }

    /// Lengths of objects that no test reads: moving by the sum is moving twice, up to the longest one.
    @Test func greatLengths() {
        var random = SeededRandom(seed: 5)
        for _ in 0..<200 {
            let first = Int64.random(in: 0...(Int64.max / 2), using: &random)
            let second = Int64.random(in: 0...(Int64.max / 2), using: &random)
            let crc32c = UInt32.random(in: 0...UInt32.max, using: &random)
            let crc64nvme = UInt64.random(in: 0...UInt64.max, using: &random)
            #expect(
                CRC32C.combine(CRC32C.combine(crc32c, 0, lengthOfB: first), 0, lengthOfB: second)
                    == CRC32C.combine(crc32c, 0, lengthOfB: first + second))
            #expect(
                CRC64NVME.combine(CRC64NVME.combine(crc64nvme, 0, lengthOfB: first), 0, lengthOfB: second)
                    == CRC64NVME.combine(crc64nvme, 0, lengthOfB: first + second))
        }
    }

    @Test func associativeWithNothingAsIdentity() {
        var random = SeededRandom(seed: 6)
        func digest() -> ContentDigest {
            ContentDigest(
                crc32c: .random(in: 0...UInt32.max, using: &random),
                crc64nvme: .random(in: 0...UInt64.max, using: &random),
                length: .random(in: 1...(1 << 45), using: &random))
        }
        for _ in 0..<200 {
            let (a, b, c) = (digest(), digest(), digest())
            #expect(a.appending(b).appending(c) == a.appending(b.appending(c)))
            #expect(a.appending(ContentDigest()) == a)
            #expect(ContentDigest().appending(a) == a)
        }
    }
}
