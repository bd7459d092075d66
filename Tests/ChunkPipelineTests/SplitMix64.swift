import ChunkPipeline

/// The generator that the frozen vectors are made of: another stream is another vector.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Words of the stream, little-endian.
    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}

/// One chunk as the chunker gave it.
struct Piece: Equatable {
    var length: Int
    var width: Int
}

/// Cuts a whole object that arrives in buffers of the given lengths; the last of them repeats.
func cut(
    _ object: [UInt8], _ profile: ChunkerProfile, buffers: [Int] = [1 << 20], announced: Int64? = nil
) -> [Piece] {
    var chunker = Chunker(profile, objectSize: announced ?? Int64(object.count))
    var pieces: [Piece] = []
    var open = 0
    var position = 0
    var next = 0
    object.withUnsafeBytes { object in
        while position < object.count {
            let end = min(object.count, position + buffers[min(next, buffers.count - 1)])
            next += 1
            while position < end {
                let bytes = UnsafeRawBufferPointer(rebasing: object[position..<end])
                guard let count = chunker.nextCut(in: bytes) else {
                    open += end - position
                    position = end
                    break
                }
                precondition((1...bytes.count).contains(count), "a cut outside of the buffer")
                pieces.append(Piece(length: open + count, width: chunker.elementWidth))
                open = 0
                position += count
            }
        }
    }
    if open > 0 { pieces.append(Piece(length: open, width: chunker.elementWidth)) }
    return pieces
}

func lengths(_ object: [UInt8], _ profile: ChunkerProfile, buffers: [Int] = [1 << 20]) -> [Int] {
    cut(object, profile, buffers: buffers).map(\.length)
}
