import Buffers
package import ObjectStores
import ReplicationModel

/// Finds damage of sealed objects of any kind and size without a key, reading them in blocks.
///
/// It finds accidents; who changes an object on purpose can change the hash at its end too, and only the key tells.
package final class KeylessVerifier: Sendable {
    private static let blockSize = 4 << 20

    private let store: any ObjectStore
    private let pool: BufferPool

    /// - Parameter store: rooted at the vault.
    /// - Parameter parallel: objects that are read at the same time at most; 5 MiB of memory each.
    package init(store: any ObjectStore, parallel: Int = 4) {
        self.store = store
        pool = BufferPool(limit: parallel * BufferPool.footprint(Self.blockSize + ObjectTrailer.length))
    }

    /// Throws `.missing` when the object is not there, and `.damaged` when it is not whole.
    /// - Returns: its bytes.
    package func verify(_ name: String) async throws(VaultError) -> Int64 {
        try await withTaskExecutorPreference(globalConcurrentExecutor) { () async throws(VaultError) in
            try await verifyBlocks(name)
        }
    }

    @concurrent private func verifyBlocks(_ name: String) async throws(VaultError) -> Int64 {
        let found: ListedObject
        do throws(StoreError) { found = try await store.head(ObjectKey(name)).object } catch {
            throw Self.failure(error, name)
        }
        guard let size = Int(exactly: found.size), size >= SealedCheck.minLength else {
            throw VaultError(.damaged, object: name, "is cut short: it has \(found.size) bytes")
        }
        let buffer: PooledBuffer
        do { buffer = try await pool.acquire(Self.blockSize + ObjectTrailer.length) } catch {
            throw VaultError(.cancelled, "interrupted")
        }
        var stream = SealedStream(buffer, blockSize: Self.blockSize, size: size)
        var header: ObjectHeader?
        while try await stream.advance({ (offset, count, buffer) async throws(VaultError) in
            do throws(StoreError) {
                _ = try await store.read(
                    ReadRequest(
                        key: found.key, range: ByteRange(offset: Int64(offset), length: Int64(count)),
                        version: found.version, objectSize: found.size), into: buffer)
            } catch {
                throw Self.failure(error, name)
            }
        }) {
            if header == nil { header = try ObjectHeader(stream.bytes(0..<ObjectHeader.length)!, name: name) }
            stream.keep(from: size - ObjectTrailer.length)
        }
        let trailer = try stream.check(name: name)
        let isPack = header!.type == .dataPack || header!.type == .metadataPack
        let room = UInt64(size - ObjectHeader.length - ObjectTrailer.length)
        guard trailer.footerLength <= room, isPack == (trailer.footerLength > 0) else {
            throw VaultError(.damaged, object: name, "its trailer is not valid")
        }
        return found.size
    }

    private static func failure(_ error: StoreError, _ name: String) -> VaultError {
        var failure = VaultError(error)
        failure.object = name
        return failure
    }
}
