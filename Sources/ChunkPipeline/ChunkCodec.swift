/// How the stored bytes of one chunk become its plain bytes: one byte of every index row.
///
/// Low four bits: 0 as they are, 1 one LZ4 block, 2 one zstd frame, 3 planes. High four bits: only with planes, the binary
/// logarithm of the bytes of an element (1: 2 bytes, 2: 4, 3: 8).
package struct ChunkCodec: Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let raw = ChunkCodec(rawValue: 0)
    package static let lz4 = ChunkCodec(rawValue: 1)
    package static let zstd = ChunkCodec(rawValue: 2)

    /// - Parameter width: bytes of an element: 2, 4 or 8.
    package static func planes(width: Int) -> ChunkCodec {
        ChunkCodec(rawValue: UInt8(width.trailingZeroBitCount) << 4 | 3)
    }

    /// The bytes of an element when the codec is planes.
    package var planeWidth: Int? {
        guard rawValue & 15 == 3, (1...3).contains(rawValue >> 4) else { return nil }
        return 1 << (rawValue >> 4)
    }
}

/// How much is spent on making chunks smaller.
package enum CompressionPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    case none
    case lz4
    case zstd
    /// Planes for floating-point tensors, nothing for what does not shrink, LZ4 for the rest.
    case auto
}
