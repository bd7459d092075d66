package import ChunkPipeline
import ReplicationModel

/// Names one pack: `VaultName.pack(session, id)`.
package struct PackName: Hashable, Sendable {
    package let session: SessionName
    /// 16 bytes.
    package let id: [UInt8]
    package let isMetadata: Bool

    package init(session: SessionName, id: [UInt8], isMetadata: Bool) {
        precondition(id.count == 16, "a pack's id has 16 bytes")
        self.session = session
        self.id = id
        self.isMetadata = isMetadata
    }

    package var text: String { VaultName.pack(session, id) }
    package var type: SealedType { isMetadata ? .metadataPack : .dataPack }
}

/// Where a chunk's record lies. A hint: a chunk's id is the truth, and it may have several locations.
package struct ChunkLocation: Hashable, Sendable {
    package var pack: PackName
    /// First byte of the record in the pack.
    package var offset: UInt32
    /// Bytes of the record, its authentication tag included.
    package var storedLength: UInt32
    package var plainLength: UInt32
    package var codec: ChunkCodec

    package init(pack: PackName, offset: UInt32, storedLength: UInt32, plainLength: UInt32, codec: ChunkCodec) {
        self.pack = pack
        self.offset = offset
        self.storedLength = storedLength
        self.plainLength = plainLength
        self.codec = codec
    }
}
