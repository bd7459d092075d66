import Buffers
import ChunkPipeline
import Digests
import ReplicationModel

/// One object on its way into a vault: bytes in, chunks out.
///
/// Cutting and hashing the whole go from byte to byte in one task; the chunks of a run of bytes are stored in parallel. One caller at a time,
/// which is what the type is unchecked for: the parts of an upload come one after the other.
final class ObjectWriter: @unchecked Sendable {
    private let store: ChunkStore
    private let size: Int64
    private let largest: Int
    private var chunker: Chunker
    private var hasher = BLAKE3()
    private var references: [ChunkReference] = []
    /// The begun chunk at the end of the last run: copied, so that nobody's buffer is held between two parts.
    private var begun: UnsafeMutableRawBufferPointer?
    private var begunCount = 0

    private(set) var digest = ContentDigest()

    init(size: Int64, profile: ChunkerProfile, store: ChunkStore) {
        self.size = size
        self.store = store
        largest = profile.largest
        chunker = Chunker(profile, objectSize: size)
    }

    deinit {
        begun?.deallocate()
    }

    /// The object's chunks, and the hash of all its bytes.
    struct Content {
        var references: [ChunkReference]
        var blake3: [UInt8]
        var digest: ContentDigest
    }

    private struct Piece: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer
        let elementWidth: Int
    }

    /// - Parameter digest: of the bytes, already compared with them.
    func append(_ bytes: UnsafeRawBufferPointer, digest: ContentDigest) async throws(VaultError) {
        precondition(self.digest.length + Int64(bytes.count) <= size, "more bytes than the object was begun with")
        hasher.update(bytes)
        self.digest = self.digest.appending(digest)
        var pieces: [Piece] = []
        var rest = bytes
        while !rest.isEmpty, let cut = chunker.nextCut(in: rest) {
            pieces.append(Piece(bytes: ended(by: rest, cut), elementWidth: chunker.elementWidth))
            rest = UnsafeRawBufferPointer(rebasing: rest[cut...])
        }
        let isLast = self.digest.length == size
        if isLast, begunCount + rest.count > 0 {
            pieces.append(Piece(bytes: ended(by: rest, rest.count), elementWidth: chunker.elementWidth))
            rest = UnsafeRawBufferPointer(rebasing: rest[rest.count...])
        }
        try await place(pieces)
        keep(rest)
    }

    /// The chunk that ends within `rest`: there in whole, or with what was kept before it.
    private func ended(by rest: UnsafeRawBufferPointer, _ count: Int) -> UnsafeRawBufferPointer {
        guard begunCount > 0 else { return UnsafeRawBufferPointer(rebasing: rest[..<count]) }
        keep(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        defer { begunCount = 0 }
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(begun!)[..<begunCount])
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        let buffer = begun ?? UnsafeMutableRawBufferPointer.allocate(byteCount: largest, alignment: 64)
        begun = buffer
        precondition(begunCount + bytes.count <= largest, "a chunk is longer than its profile allows")
        UnsafeMutableRawBufferPointer(rebasing: buffer[begunCount...]).copyMemory(from: bytes)
        begunCount += bytes.count
    }

    private func place(_ pieces: [Piece]) async throws(VaultError) {
        let lane = PackLane.random()
        if pieces.count < 2 {
            for piece in pieces {
                references.append(try await store.place(piece.bytes, elementWidth: piece.elementWidth, lane: lane))
            }
            return
        }
        let store = store
        var placed = [ChunkReference?](repeating: nil, count: pieces.count)
        do {
            try await withThrowingTaskGroup(of: (Int, ChunkReference).self) { group in
                for (index, piece) in pieces.enumerated() {
                    group.addTask {
                        (index, try await store.place(piece.bytes, elementWidth: piece.elementWidth, lane: lane))
                    }
                }
                for try await (index, reference) in group { placed[index] = reference }
            }
        } catch {
            throw VaultError(caught: error)
        }
        references.append(contentsOf: placed.map { $0! })
    }

    /// - Precondition: all bytes have come.
    func finish() -> Content {
        precondition(digest.length == size && begunCount == 0, "an object ends when all its bytes have come")
        return Content(references: references, blake3: hasher.finalize(), digest: digest)
    }
}
