/// What addresses a chunk: the keyed BLAKE3-256 of its plain bytes. Evenly spread, and without the key it says nothing of the bytes.
///
/// Four words, the first byte of the hash the most significant of the first word: so words compare as the bytes do.
package struct ChunkID: Hashable, Sendable {
    package static let length = 32

    package let words: (UInt64, UInt64, UInt64, UInt64)

    /// - Precondition: 32 bytes.
    package init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.length, "a chunk id has 32 bytes")
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    package init(_ bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ChunkID($0) }
    }

    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.length) { buffer, count in
            store(to: UnsafeMutableRawPointer(buffer.baseAddress!))
            count = Self.length
        }
    }

    /// Writes the 32 bytes.
    package func store(to address: UnsafeMutableRawPointer) {
        address.storeBytes(of: words.0.bigEndian, as: UInt64.self)
        address.storeBytes(of: words.1.bigEndian, toByteOffset: 8, as: UInt64.self)
        address.storeBytes(of: words.2.bigEndian, toByteOffset: 16, as: UInt64.self)
        address.storeBytes(of: words.3.bigEndian, toByteOffset: 24, as: UInt64.self)
    }

    package static func == (a: ChunkID, b: ChunkID) -> Bool { a.words == b.words }

    /// The id is a hash already: one word of it spreads as well as all.
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension ChunkID: Comparable {
    package static func < (a: ChunkID, b: ChunkID) -> Bool { a.words < b.words }
}
