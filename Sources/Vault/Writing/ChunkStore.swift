import Buffers
import Digests
import ReplicationModel

/// Where an object's chunks go.
struct ChunkStore: Sendable {
    private let writer: VaultWriter

    init(_ writer: VaultWriter) {
        self.writer = writer
    }

    func place(
        _ chunk: UnsafeRawBufferPointer, elementWidth: Int, lane: PackLane
    ) async throws(VaultError) -> ChunkReference {
        try await writer.place(chunk, elementWidth: elementWidth, lane: lane)
    }

    /// The list of a large object's chunks, cut into chunks of its own.
    func placeList(_ references: [ChunkReference]) async throws(VaultError) -> [ChunkReference] {
        let bytes = ObjectContent.encode(references)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        copy.copyBytes(from: bytes)
        defer { copy.deallocate() }
        var list: [ChunkReference] = []
        let lane = PackLane.random()
        for offset in stride(from: 0, to: bytes.count, by: ChunkList.chunk) {
            let end = min(offset + ChunkList.chunk, bytes.count)
            list.append(
                try await writer.place(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[offset..<end]), elementWidth: 1,
                    lane: lane, isMetadata: true))
        }
        return list
    }
}

extension ObjectWriter {
    /// On the processors' own threads: those that carry requests must not wait for it.
    func append(_ slice: BufferSlice, digest: ContentDigest) async throws(VaultError) {
        do {
            try await withTaskExecutorPreference(globalConcurrentExecutor) {
                let bytes = UnsafeRawBufferPointer(start: slice.pointer, count: slice.count)
                try await append(bytes, digest: digest)
            }
        } catch {
            throw VaultError(caught: error)
        }
        withExtendedLifetime(slice) {}
    }
}
