import Compression
import Testing

struct ZstdTests {
    private func compress(_ content: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Zstd.bound(content.count)) { frame, count in
            count = content.withUnsafeBytes {
                ZstdCompressor().compress($0, into: UnsafeMutableRawBufferPointer(frame))
            }
        }
    }

    private func decompress(_ frame: [UInt8], limit: Int = 1 << 20) throws -> [UInt8] {
        try frame.withUnsafeBytes { frame in
            let size = try Zstd.contentSize(of: frame, limit: limit)
            var content = [UInt8](repeating: 0, count: size)
            try content.withUnsafeMutableBytes { try Zstd.decompress(frame, into: $0) }
            return content
        }
    }

    @Test(arguments: [0, 1, 1000, 100_000])
    func `what was compressed comes back`(count: Int) throws {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let frame = compress(content)
        #expect(try decompress(frame) == content)
        #expect(count < 1000 || frame.count < count / 2)
    }

    /// `printf 'lockstep\n' | zstd -3 --content-size --check`
    @Test func `a frame of the zstd tool`() throws {
        let frame: [UInt8] = [
            0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x09, 0x49, 0x00, 0x00, 0x6c, 0x6f, 0x63, 0x6b, 0x73, 0x74, 0x65, 0x70, 0x0a,
            0xd1, 0x12, 0x1e, 0x34,
        ]
        let mine = compress(Array("lockstep\n".utf8))
        #expect(mine == frame)
        #expect(try decompress(frame) == Array("lockstep\n".utf8))
    }

    @Test func `every flipped bit is noticed, or changes nothing`() throws {
        let content = Array(String(repeating: "a row of a manifest\n", count: 20).utf8)
        let frame = compress(content)
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << (bit % 8)
            do {
                // A header's bit may say nothing about the content.
                #expect(try decompress(damaged) == content, "bit \(bit)")
            } catch { #expect(error is ZstdError) }
        }
    }

    @Test func `a bomb is refused before anything is allocated`() throws {
        let frame = compress([UInt8](repeating: 0, count: 1 << 20))
        #expect(frame.count < 200)
        #expect(throws: ZstdError.self) { try decompress(frame, limit: (1 << 20) - 1) }
        // Announces 2^63 bytes in the eight bytes of a frame without dictionary.
        let huge: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0]
        #expect(throws: ZstdError.self) { try decompress(huge, limit: .max) }
    }

    @Test func `what is no frame, cut off, or followed by something`() throws {
        let frame = compress(Array("content".utf8))
        for damaged in [[], Array("no frame at all".utf8), Array(frame.dropLast()), frame + [0], frame + frame] {
            #expect(throws: ZstdError.self) { try decompress(damaged) }
        }
        // zstd allows frames that do not say how large they are: `zstd --no-content-size`.
        let unsized: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x09, 0x00, 0x00, 0x61]
        #expect(throws: ZstdError.self) { try decompress(unsized) }
    }

    private func compress(_ content: [UInt8], _ compressor: ZstdCompressor, room: Int) -> [UInt8]? {
        var frame = [UInt8](repeating: 0, count: room)
        let count = frame.withUnsafeMutableBytes { frame in
            content.withUnsafeBytes { compressor.compress($0, fitting: frame) }
        }
        return count.map { Array(frame[..<$0]) }
    }

    @Test func `what does not fit is refused`() throws {
        let content = Array(String(repeating: "a row of a manifest\n", count: 200).utf8)
        for compressor in [ZstdCompressor(level: 1, checksum: false), ZstdCompressor(.frequencies, checksum: false)] {
            let frame = try #require(compress(content, compressor, room: content.count))
            #expect(try decompress(frame) == content)
            for room in [0, 1, frame.count - 1] { #expect(compress(content, compressor, room: room) == nil) }
        }
    }

    @Test func `bytes of few values are spelled by frequency`() throws {
        // Four values without any repeat worth naming: two bits each.
        var state: UInt32 = 1
        let content = (0..<100_000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 30)
        }
        let frame = try #require(compress(content, ZstdCompressor(.frequencies, checksum: false), room: 100_000))
        #expect(frame.count < 26_000)
        #expect(try decompress(frame) == content)
    }

    @Test func `a decompressor takes whole frames of the exact length only`() throws {
        let content = [UInt8](repeating: 7, count: 5000)
        let frame = try #require(compress(content, ZstdCompressor(level: 3, checksum: false), room: 5000))
        let decompressor = ZstdDecompressor()
        func expand(_ frame: [UInt8], _ count: Int) throws -> [UInt8] {
            var content = [UInt8](repeating: 0, count: count)
            try frame.withUnsafeBytes { frame in
                try content.withUnsafeMutableBytes { try decompressor.decompress(frame, into: $0) }
            }
            return content
        }
        #expect(try expand(frame, 5000) == content)
        for count in [0, 4999, 5001] { #expect(throws: ZstdError.self) { try expand(frame, count) } }
        // A skippable frame in front, and one of zstd 0.7.
        let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]
        let old: [UInt8] = [0x27, 0xB5, 0x2F, 0xFD] + frame.dropFirst(4)
        for bad in [skippable + frame, skippable, old, frame + [0], Array(frame.dropLast()), [], [0x28]] {
            #expect(throws: ZstdError.self) { try expand(bad, 5000) }
        }
        #expect(try expand(frame, 5000) == content)
    }
}
