import Buffers
import Digests

/// Bytes that follow from a seed: the same everywhere, different for every seed and at every offset.
struct TestContent: Sendable, Hashable {
    let bytes: [UInt8]

    init(_ count: Int, seed: UInt64) {
        bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            // SplitMix64.
            var state = seed &* 0x9E37_79B9_7F4A_7C15
            var index = 0
            while index < count {
                state &+= 0x9E37_79B9_7F4A_7C15
                var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
                value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
                value ^= value >> 31
                for _ in 0..<min(8, count - index) {
                    buffer[index] = UInt8(truncatingIfNeeded: value)
                    value >>= 8
                    index += 1
                }
            }
            filled = count
        }
    }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var count: Int { bytes.count }

    var digest: ContentDigest { bytes.withUnsafeBytes { ContentDigest(of: $0) } }

    func part(_ offset: Int, _ count: Int) -> TestContent {
        TestContent(Array(bytes[offset..<(offset + count)]))
    }

    /// The content cut into parts of `size` bytes.
    func parts(of size: Int) -> [TestContent] {
        stride(from: 0, to: count, by: size).map { part($0, min(size, count - $0)) }
    }

    func fill(_ buffer: PooledBuffer) -> BufferSlice {
        precondition(count <= buffer.capacity, "the content does not fit the buffer")
        bytes.withUnsafeBytes { source in
            if let base = source.baseAddress { buffer.base.copyMemory(from: base, byteCount: source.count) }
        }
        return buffer.slice(count)
    }
}
