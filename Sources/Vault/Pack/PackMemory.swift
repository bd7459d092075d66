import Buffers

/// The memory of all packs that are being filled or uploaded: what makes writers wait for a slow store.
///
/// One data writer and one metadata writer share it, each with at most two packs open. A pack takes its memory when it is opened and
/// gives it back when it is durable. Nobody can wait for ever: whoever waits wants one pack and holds none for it; the other packs that
/// are open hold at most the other three shares, and `smallest` has room for all four. So whatever else is held belongs to packs that
/// are closed, and those need nothing but the store to end.
package final class PackMemory: Sendable {
    private let pool: BufferPool
    private let packSize: Int

    /// Largest metadata pack: they are few and small, and whoever reads one wants little of it.
    private static let metadataPackSize = 8 << 20

    /// Bytes that two open packs of each kind take.
    package static func smallest(packSize: Int) -> Int {
        2 * BufferPool.footprint(packSize) + 2 * BufferPool.footprint(min(packSize, metadataPackSize))
    }

    /// Two open data packs, and as much as three more in upload or as metadata packs.
    package static func standard(packSize: Int) -> Int {
        max(smallest(packSize: packSize), 5 * BufferPool.footprint(packSize))
    }

    /// - Parameter packSize: of the vault's format.
    /// - Parameter limit: bytes, at least `smallest`; nil for `standard`.
    package init(packSize: Int, limit: Int? = nil) {
        let limit = limit ?? Self.standard(packSize: packSize)
        precondition(
            limit >= Self.smallest(packSize: packSize), "the memory for packs must hold two open ones of each kind")
        self.packSize = packSize
        pool = BufferPool(limit: limit)
    }

    /// Largest sum of bytes that packs have held at a time.
    package var peak: Int { pool.peak }
    package var limit: Int { pool.limit }
    package var inUse: Int { pool.inUse }

    /// Bytes that a whole pack may have.
    func capacity(isMetadata: Bool) -> Int {
        PackLayout.capacity(isMetadata ? min(packSize, Self.metadataPackSize) : packSize)
    }

    func acquire(isMetadata: Bool) async throws -> PooledBuffer {
        try await pool.acquire(capacity(isMetadata: isMetadata))
    }
}
