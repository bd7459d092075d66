import CKernels
import Digests
import TestFixtures
import Testing

/// The published values, and every kernel of this processor against the tables.
struct CRCTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let crc32c: UInt32
        let crc64nvme: UInt64

        /// The bytes themselves would fill the test's output.
        var testDescription: String { name }
    }

    static let vectors = [
        Vector(name: "empty", bytes: [], crc32c: 0, crc64nvme: 0),
        Vector(name: "check", bytes: Array("123456789".utf8), crc32c: 0xE306_9283, crc64nvme: 0xAE8B_1486_0A79_9888),
        Vector(name: "a", bytes: Array("a".utf8), crc32c: 0xC1D0_4330, crc64nvme: 0x8C2F_8445_B4CB_FC3C),
        Vector(
            name: "32 × 00", bytes: .init(repeating: 0, count: 32), crc32c: 0x8A91_36AA,
            crc64nvme: 0xCF34_7343_4D4E_CF3B),
        Vector(
            name: "32 × FF", bytes: .init(repeating: 255, count: 32), crc32c: 0x62A8_AB43,
            crc64nvme: 0xA0A0_6974_C34D_63C4),
        Vector(name: "0…31", bytes: Array(0..<32), crc32c: 0x46DD_794E, crc64nvme: 0xB9D9_D4A8_492C_BD7F),
        Vector(
            name: "1 MiB of 00", bytes: .init(repeating: 0, count: 1 << 20), crc32c: 0x1429_8C12,
            crc64nvme: 0xBD76_9638_5DA3_1B46),
    ]

    static let paths = [lockstep_crc_portable, lockstep_crc_carryless, lockstep_crc_avx2, lockstep_crc_avx512]
        .filter { lockstep_crc_has_path($0) }

    @Test(arguments: vectors)
    func publishedValues(_ vector: Vector) {
        vector.bytes.withUnsafeBytes { bytes in
            #expect(CRC32C.update(0, bytes) == vector.crc32c)
            #expect(CRC64NVME.update(0, bytes) == vector.crc64nvme)
            let digest = ContentDigest(of: bytes)
            #expect(
                digest
                    == ContentDigest(
                        crc32c: vector.crc32c, crc64nvme: vector.crc64nvme, length: Int64(bytes.count)))
            for path in Self.paths {
                #expect(lockstep_crc32c_by(path, 0, bytes.baseAddress, bytes.count) == vector.crc32c)
                #expect(lockstep_crc64nvme_by(path, 0, bytes.baseAddress, bytes.count) == vector.crc64nvme)
            }
        }
    }

    @Test func nothingWithoutAnAddress() {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(CRC32C.update(7, nothing) == 7)
        #expect(CRC64NVME.update(7, nothing) == 7)
        #expect(ContentDigest(of: nothing) == ContentDigest())
    }

    /// All lengths around every block size of every kernel, at every alignment to a word.
    @Test(arguments: paths.indices)
    func lengthsAndAlignments(_ index: Int) {
        let path = Self.paths[index]
        var random = SeededRandom(seed: 42)
        let bytes = (0..<2100).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            let base = bytes.baseAddress!
            var differences = 0
            for length in 0...2080 {
                for offset in 0..<8 {
                    let crc32c = UInt32.random(in: 0...UInt32.max, using: &random)
                    let crc64nvme = UInt64.random(in: 0...UInt64.max, using: &random)
                    let start = base + offset
                    let expected32 = lockstep_crc32c_by(lockstep_crc_portable, crc32c, start, length)
                    let expected64 = lockstep_crc64nvme_by(lockstep_crc_portable, crc64nvme, start, length)
                    var both32 = crc32c
                    var both64 = crc64nvme
                    lockstep_crc_both_by(path, &both32, &both64, start, length)
                    if lockstep_crc32c_by(path, crc32c, start, length) != expected32 { differences += 1 }
                    if lockstep_crc64nvme_by(path, crc64nvme, start, length) != expected64 { differences += 1 }
                    if both32 != expected32 || both64 != expected64 { differences += 1 }
                }
            }
            #expect(differences == 0)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func randomSplits(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bytes = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            let whole = ContentDigest(
                crc32c: lockstep_crc32c_by(lockstep_crc_portable, 0, bytes.baseAddress, bytes.count),
                crc64nvme: lockstep_crc64nvme_by(lockstep_crc_portable, 0, bytes.baseAddress, bytes.count),
                length: Int64(bytes.count))
            for _ in 0..<20 {
                var continued = ContentDigest()
                var combined = ContentDigest()
                var start = 0
                while start < bytes.count {
                    let end = min(bytes.count, start + Int.random(in: 0...9_000, using: &random))
                    let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                    continued.update(piece)
                    combined = combined.appending(ContentDigest(of: piece))
                    start = end
                }
                #expect(continued == whole)
                #expect(combined == whole)
            }
        }
    }
}
