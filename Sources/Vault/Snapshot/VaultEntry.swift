import Digests
package import ReplicationModel

/// One chunk of an object, in its order.
package struct ChunkReference: Hashable, Sendable {
    package var id: ChunkID
    /// Plain bytes.
    package var length: UInt32

    package init(id: ChunkID, length: UInt32) {
        self.id = id
        self.length = length
    }
}

/// One object of a vault as a snapshot names it.
package struct VaultEntry: Hashable, Sendable {
    /// Where the chunks are named.
    package enum Content: Hashable, Sendable {
        /// Here.
        case chunks([ChunkReference])
        /// In a list that is itself cut into chunks (of metadata packs): 36 bytes for each chunk, id then length (little-endian).
        case list([ChunkReference])
    }

    package var key: ObjectKey
    /// Bytes.
    package var size: Int64
    /// When it was written into the vault, nanoseconds since 1970.
    package var modified: Int64
    /// CRC-32C and CRC-64/NVME of all bytes.
    package var crc32c: UInt32
    package var crc64nvme: UInt64
    /// BLAKE3 of all bytes, unkeyed, 32 bytes.
    package var blake3: [UInt8]
    package var attributes: ObjectAttributes
    package var content: Content

    package init(
        key: ObjectKey, size: Int64, modified: Int64, crc32c: UInt32, crc64nvme: UInt64, blake3: [UInt8],
        attributes: ObjectAttributes, content: Content
    ) {
        self.key = key
        self.size = size
        self.modified = modified
        self.crc32c = crc32c
        self.crc64nvme = crc64nvme
        self.blake3 = blake3
        self.attributes = attributes
        self.content = content
    }
}

/// Names one page of a snapshot: `VaultName.page(session, id)`.
package struct PageReference: Hashable, Sendable, Codable {
    package var session: SessionName
    /// 16 bytes.
    package var id: [UInt8]
    /// Bytes of the sealed page, so that it is read in one request.
    package var size: Int

    package init(session: SessionName, id: [UInt8], size: Int) {
        precondition(id.count == 16 && size > 0 && size <= UInt32.max, "no reference to a page")
        self.session = session
        self.id = id
        self.size = size
    }

    package var name: String { VaultName.page(session, id) }

    private enum CodingKeys: String, CodingKey {
        case session, id, size
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        session = try container.decode(SessionName.self, forKey: .session)
        guard let id = Hex.decode(try container.decode(String.self, forKey: .id)), id.count == 16 else {
            throw DecodingError.dataCorruptedError(forKey: .id, in: container, debugDescription: "no id of a page")
        }
        self.id = id
        size = try container.decode(Int.self, forKey: .size)
        guard size > 0, size <= UInt32.max else {
            throw DecodingError.dataCorruptedError(forKey: .size, in: container, debugDescription: "no size of a page")
        }
    }

    /// The id as 32 hex digits.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(session, forKey: .session)
        try container.encode(Hex.encode(id), forKey: .id)
        try container.encode(size, forKey: .size)
    }
}
