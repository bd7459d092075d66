import ChunkPipeline
import Cryptography
import ReplicationModel

/// Stores chunks again that lie among garbage, in packs of a session of its own.
final class ChunkMover {
    let session: SessionName
    /// Where each chunk lies now; durable after `flush`.
    private(set) var moved: [ChunkID: ChunkLocation] = [:]
    /// Whether no more packs can be written.
    private(set) var hasFailed = false
    private let packs: PackReader
    private let data: PackWriter
    private let metadata: PackWriter

    /// Plain bytes that are read at once, but for a single longer chunk.
    private static let batch = 8 << 20

    init(_ vault: VaultHandle, _ packs: PackReader, base: UInt64) throws(VaultError) {
        self.packs = packs
        let session = SessionName(base: base, random: SecureRandom.bytes(8))
        // Before its first pack: whoever comes after a crash on this machine may use what was stored.
        try vault.local.noteSession(session)
        let memory = PackMemory(packSize: vault.format.packSize)
        func writer(_ kind: PackWriter.Kind) -> PackWriter {
            PackWriter(
                store: vault.store, keys: vault.keys, chunker: vault.format.chunker,
                compression: vault.format.compression, session: session, kind: kind, memory: memory, time: vault.time)
        }
        self.session = session
        data = writer(.data)
        metadata = writer(.metadata)
    }

    /// Throws `.damaged` or `.missing` when a chunk can be read nowhere; those before it are moved all the same.
    /// - Parameter others: where there may be other copies.
    func move(
        _ rows: [(id: ChunkID, location: ChunkLocation)], others: ChunkIndex
    ) async throws(VaultError) {
        var rest = rows.filter { moved[$0.id] == nil }.sorted { $0.location.offset < $1.location.offset }[...]
        while !rest.isEmpty {
            var bytes = 0
            let batch = rest.prefix { row in
                bytes += Int(row.location.plainLength)
                return bytes <= Self.batch
            }
            let next = batch.isEmpty ? rest.prefix(1) : batch
            rest = rest.dropFirst(next.count)
            try await move(Array(next), others)
        }
    }

    private func move(_ batch: [(id: ChunkID, location: ChunkLocation)], _ others: ChunkIndex) async throws(VaultError)
    {
        let total = batch.reduce(0) { $0 + Int($1.location.plainLength) }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, total), alignment: 16)
        defer { room.deallocate() }
        var offset = 0
        let reads = batch.map { row in
            defer { offset += Int(row.location.plainLength) }
            let copies = others.findAll(row.id).filter {
                $0 != row.location && $0.plainLength == row.location.plainLength
            }
            return ChunkRead(
                row.id, at: [row.location] + copies, range: 0..<Int(row.location.plainLength),
                into: room.baseAddress! + offset)
        }
        try await packs.read(reads)
        for (row, read) in zip(batch, reads) {
            let chunk = UnsafeRawBufferPointer(start: read.destination, count: read.range.count)
            do throws(VaultError) {
                moved[row.id] = try await (row.location.pack.isMetadata ? metadata : data)
                    .add(row.id, chunk, elementWidth: row.location.codec.planeWidth ?? 1)
            } catch {
                hasFailed = true
                throw error
            }
        }
    }

    /// Makes everything durable that was moved; more can follow.
    func flush() async throws(VaultError) {
        try await data.flush()
        try await metadata.flush()
    }

    func abandon() async {
        await data.abandon()
        await metadata.abandon()
    }
}
