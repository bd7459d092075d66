import ReplicationModel

/// The list of a large object's chunks, itself made of chunks.
struct ChunkList {
    let store: VaultStore

    /// Bytes of one chunk of a list.
    static let chunk = 256 << 10
    /// Objects with more chunks have a list.
    static let inline = 64
    /// Bytes of a whole list, at most: 30 million chunks.
    private static let limit = 1 << 30

    func references(_ list: [ChunkReference]) async throws(VaultError) -> [ChunkReference] {
        let size = list.reduce(0) { $0 + Int($1.length) }
        guard size <= Self.limit else { throw VaultError(.damaged, "a list of chunks has \(size) bytes") }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { bytes.deallocate() }
        var wanted: [ChunkRead] = []
        var offset = 0
        for reference in list {
            let length = Int(reference.length)
            wanted.append(
                ChunkRead(
                    reference.id, at: try await store.locations(of: reference.id), range: 0..<length,
                    into: UnsafeMutableRawPointer(bytes.baseAddress! + offset)))
            offset += length
        }
        try await store.packs.read(wanted)
        return try ObjectContent.decode(UnsafeRawBufferPointer(bytes))
    }
}

extension ObjectContent {
    /// Throws when the chunks are not as long together as the object.
    convenience init(_ references: [ChunkReference], of entry: VaultEntry) throws(VaultError) {
        self.init(references)
        guard size == entry.size else {
            throw VaultError(.damaged, "the chunks of \(entry.key) have \(size) bytes, the object \(entry.size)")
        }
    }
}
