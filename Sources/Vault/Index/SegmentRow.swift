package import ChunkPipeline
package import ReplicationModel

/// One row of an index segment: where one copy of a chunk lies. `pack` counts in the segment's own table of packs.
package struct SegmentRow: Hashable, Sendable {
    static let byteCount = 52

    package var id: ChunkID
    package var pack: UInt32
    package var offset: UInt32
    package var storedLength: UInt32
    package var plainLength: UInt32
    package var codec: ChunkCodec

    package init(
        id: ChunkID, pack: UInt32, offset: UInt32, storedLength: UInt32, plainLength: UInt32, codec: ChunkCodec
    ) {
        self.id = id
        self.pack = pack
        self.offset = offset
        self.storedLength = storedLength
        self.plainLength = plainLength
        self.codec = codec
    }

    /// Reads the 52 bytes at `address`.
    init(at address: UnsafeRawPointer) {
        func number(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: address.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        id = Self.id(at: address)
        pack = number(32)
        offset = number(36)
        storedLength = number(40)
        plainLength = number(44)
        codec = ChunkCodec(rawValue: address.load(fromByteOffset: 48, as: UInt8.self))
    }

    static func id(at address: UnsafeRawPointer) -> ChunkID {
        ChunkID(UnsafeRawBufferPointer(start: address, count: ChunkID.length))
    }

    /// Writes the 52 bytes.
    func store(to address: UnsafeMutableRawPointer) {
        id.store(to: address)
        for (index, number) in [pack, offset, storedLength, plainLength].enumerated() {
            address.storeBytes(of: number.littleEndian, toByteOffset: ChunkID.length + 4 * index, as: UInt32.self)
        }
        address.storeBytes(of: UInt32(codec.rawValue).littleEndian, toByteOffset: 48, as: UInt32.self)
    }

    func location(in pack: PackName) -> ChunkLocation {
        ChunkLocation(
            pack: pack, offset: offset, storedLength: storedLength, plainLength: plainLength, codec: codec)
    }
}

extension SegmentRow: Comparable {
    /// The order of a segment: by id, then pack.
    package static func < (a: SegmentRow, b: SegmentRow) -> Bool {
        a.id.words.0 != b.id.words.0 ? a.id.words.0 < b.id.words.0 : (a.id, a.pack) < (b.id, b.pack)
    }
}
