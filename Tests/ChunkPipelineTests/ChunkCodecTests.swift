import ChunkPipeline
import Cryptography
import Digests
import ReplicationModel
import Testing

/// Objects of many kinds, by name.
enum Samples {
    static func normal(_ count: Int, seed: UInt64 = 1) -> [Float] {
        var random = SplitMix64(seed)
        func unit() -> Float { Float(random.next() >> 40) / Float(1 << 24) }
        // Twelve uniform ones make a normal one of variance 1.
        return (0..<count).map { _ in ((0..<12).reduce(Float(-6)) { sum, _ in sum + unit() }) * 0.02 }
    }

    static func bf16(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        normal(count, seed: seed).flatMap { value -> [UInt8] in
            let bits = value.bitPattern >> 16
            return [UInt8(bits & 255), UInt8(bits >> 8)]
        }
    }

    static func float32(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        normal(count, seed: seed).flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        }
    }

    static func lines(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SplitMix64(seed)
        var text = ""
        while text.utf8.count < count {
            text +=
                "{\"id\": \(random.next() % 100_000), \"text\": \"a line of training data\", \"score\": 0.\(random.next() % 1000)}\n"
        }
        return Array(text.utf8.prefix(count))
    }
}

/// Compresses, and gives the codec and what is to be stored.
func pack(
    _ chunk: [UInt8], _ compressor: ChunkCompressor, width: Int = 1
) -> (codec: ChunkCodec, stored: [UInt8]) {
    var room = [UInt8](repeating: 0xAA, count: ChunkCompressor.bound(chunk.count) + 64)
    let bound = ChunkCompressor.bound(chunk.count)
    let (codec, count) = chunk.withUnsafeBytes { chunk in
        room.withUnsafeMutableBytes {
            compressor.compress(chunk, elementWidth: width, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<bound]))
        }
    }
    precondition(room[bound...].allSatisfy { $0 == 0xAA }, "wrote beyond the room")
    return (codec, codec == .raw ? chunk : Array(room[..<count]))
}

func unpack(_ stored: [UInt8], _ codec: ChunkCodec, count: Int, _ decompressor: ChunkDecompressor) throws -> [UInt8] {
    var content = [UInt8](repeating: 0x55, count: count + 64)
    defer { precondition(content[count...].allSatisfy { $0 == 0x55 }, "wrote beyond the chunk") }
    try stored.withUnsafeBytes { stored in
        try content.withUnsafeMutableBytes {
            try decompressor.decompress(stored, codec, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<count]))
        }
    }
    return Array(content[..<count])
}

@Suite struct ChunkCodecTests {
    static let shapes: [[UInt8]] = {
        var random = SplitMix64(7)
        var shapes: [[UInt8]] = [[], [0], [1, 2, 3]]
        for count in [63, 64, 65, 1023, 1024, 1025, 4095, 70_001, 262_144] {
            shapes.append(random.bytes(count))
            shapes.append([UInt8](repeating: 0, count: count))
            shapes.append(Samples.lines(count))
            shapes.append(Array(Samples.bf16(count / 2 + 1).prefix(count)))
            shapes.append(Array(Samples.float32(count / 4 + 1).prefix(count)))
        }
        return shapes
    }()

    @Test(arguments: CompressionPolicy.allCases, [1, 2, 4, 8])
    func `what was compressed comes back`(policy: CompressionPolicy, width: Int) throws {
        let compressor = ChunkCompressor(policy)
        let decompressor = ChunkDecompressor()
        for shape in Self.shapes {
            let (codec, stored) = pack(shape, compressor, width: width)
            #expect(try unpack(stored, codec, count: shape.count, decompressor) == shape)
            if codec != .raw { #expect(stored.count <= shape.count - max(65, shape.count / 16)) }
        }
    }

    @Test func `policies choose`() {
        let random = Self.shapes.first { $0.count == 262_144 }!
        let lines = Samples.lines(262_144)
        let weights = Samples.bf16(131_072)
        #expect(pack(lines, ChunkCompressor(.none)).codec == .raw)
        #expect(pack(lines, ChunkCompressor(.lz4)).codec == .lz4)
        #expect(pack(lines, ChunkCompressor(.zstd)).codec == .zstd)
        #expect(pack(lines, ChunkCompressor(.auto)).codec == .lz4)
        for policy in CompressionPolicy.allCases { #expect(pack(random, ChunkCompressor(policy)).codec == .raw) }
        #expect(pack(weights, ChunkCompressor(.lz4), width: 2).codec == .raw)
        for policy in [CompressionPolicy.auto, .zstd] {
            let (codec, stored) = pack(weights, ChunkCompressor(policy), width: 2)
            #expect(codec == .planes(width: 2))
            #expect(Double(stored.count) < 0.7 * Double(weights.count))
            // The mantissas, as they are.
            #expect(Array(stored[..<5]) == [0, 0, 0, 2, 0])
            #expect(Array(stored[5..<5 + 131_072]) == stride(from: 0, to: weights.count, by: 2).map { weights[$0] })
            let (wide, floats) = pack(Samples.float32(65_536), ChunkCompressor(policy), width: 4)
            #expect(wide == .planes(width: 4))
            #expect(Double(floats.count) < 0.9 * Double(4 * 65_536))
        }
        #expect(pack([UInt8](repeating: 0, count: 262_144), ChunkCompressor(.auto), width: 2).stored.count < 200)
        #expect(pack(lines, ChunkCompressor(.auto), width: 8).codec != .raw)
    }

    /// Three planes forms and a tail, from the description in `PlaneOutput`.
    @Test func `planes written by hand`() throws {
        let stored: [UInt8] = [0, 3, 0, 0, 0, 1, 2, 3, 1, 4, 0, 0, 0, 0x30, 7, 8, 9, 42]
        let content = try unpack(stored, ChunkCodec(rawValue: 0x13), count: 7, ChunkDecompressor())
        #expect(content == [1, 7, 2, 8, 3, 9, 42])
    }

    @Test func `another length than the chunk's is refused`() throws {
        let decompressor = ChunkDecompressor()
        for policy in CompressionPolicy.allCases {
            let shape = Samples.bf16(5000)
            let (codec, stored) = pack(shape, ChunkCompressor(policy), width: 2)
            for count in [0, 1, shape.count - 1, shape.count + 1, shape.count * 2] {
                #expect(throws: ChunkCodecError.self) { try unpack(stored, codec, count: count, decompressor) }
            }
        }
    }

    @Test func `codecs that nobody knows`() {
        for raw in UInt8.min...UInt8.max where ![0, 1, 2, 0x13, 0x23, 0x33].contains(raw) {
            #expect(throws: ChunkCodecError.self) {
                try unpack([UInt8](repeating: 0, count: 64), ChunkCodec(rawValue: raw), count: 64, ChunkDecompressor())
            }
        }
    }

    @Test func `damaged bytes fill exactly or are refused`() throws {
        var random = SplitMix64(11)
        let decompressor = ChunkDecompressor()
        for policy in CompressionPolicy.allCases {
            for (shape, width) in [(Samples.bf16(3000), 2), (Samples.float32(1500), 4), (Samples.lines(5000), 1)] {
                let (codec, stored) = pack(shape, ChunkCompressor(policy), width: width)
                for _ in 0..<2000 {
                    var damaged = stored
                    for _ in 0...random.next() % 4 {
                        let place = Int(random.next() % UInt64(damaged.count))
                        switch random.next() % 4 {
                        case 0: damaged[place] = UInt8(truncatingIfNeeded: random.next())
                        case 1: damaged[place] ^= 1 << (random.next() % 8)
                        case 2: damaged.remove(at: place)
                        default: damaged.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                        }
                    }
                    // Wrong content is for the id to find; `unpack` checks that nothing else was written.
                    do { _ = try unpack(damaged, codec, count: shape.count, decompressor) } catch {
                        #expect(error is ChunkCodecError)
                    }
                }
            }
        }
    }
}

extension ChunkCodecTests {
    static let codecs: [ChunkCodec] = [.raw, .lz4, .zstd, .planes(width: 2), .planes(width: 4), .planes(width: 8)]

    @Test(arguments: codecs)
    func `any bytes at all fill exactly or are refused`(codec: ChunkCodec) {
        var random = SplitMix64(UInt64(codec.rawValue))
        let decompressor = ChunkDecompressor()
        for _ in 0..<5000 {
            var stored = random.bytes(Int(random.next() % 200))
            if codec == .zstd { stored.insert(contentsOf: [0x28, 0xB5, 0x2F, 0xFD], at: 0) }
            // Planes of forms that there are, of lengths that could be.
            if codec.planeWidth != nil, stored.count > 5 {
                stored.replaceSubrange(0..<5, with: [UInt8(random.next() % 4), UInt8(random.next() % 64), 0, 0, 0])
            }
            do { _ = try unpack(stored, codec, count: Int(random.next() % 300), decompressor) } catch {
                #expect(error is ChunkCodecError)
            }
        }
    }

    @Test func `planes that announce more than there is`() {
        for length: [UInt8] in [[4, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 0x80]] {
            for form: UInt8 in 0...3 {
                let stored = [form] + length + [1, 2, 3]
                #expect(throws: ChunkCodecError.self) {
                    try unpack(stored, .planes(width: 2), count: 6, ChunkDecompressor())
                }
            }
        }
    }

    @Test func `a zstd bomb writes no more than the chunk has`() throws {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let (codec, stored) = pack(zeros, ChunkCompressor(.zstd))
        #expect(codec == .zstd && stored.count < 200)
        #expect(throws: ChunkCodecError.self) { try unpack(stored, .zstd, count: 1000, ChunkDecompressor()) }
    }
}

@Suite struct ChunkHasherTests {
    @Test func `an id is the keyed hash`() {
        let key = (0..<32).map { UInt8($0) }
        let hasher = ChunkHasher(key: Secret(key))
        for count in [0, 1, 1024, 100_000] {
            let chunk = [UInt8](repeating: 3, count: count)
            var reference = BLAKE3(key: key)
            chunk.withUnsafeBytes { reference.update($0) }
            #expect(chunk.withUnsafeBytes { hasher.id(of: $0) } == ChunkID(reference.finalize()))
        }
    }
}
