import Buffers
import Digests
package import ObjectStores
import ReplicationModel

/// Small objects of a vault, read and written whole.
package enum StoredObject {
    /// All bytes of the current version. Throws `.missing` when it is not there and `.damaged` when it has more than `limit`.
    /// - Parameter size: when it is known; else it is asked for first.
    package static func read(
        _ name: String, from store: any ObjectStore, limit: Int, size: Int64? = nil
    ) async throws(VaultError) -> [UInt8] {
        do throws(StoreError) {
            let key = ObjectKey(name)
            var version: VersionToken?
            var length = size ?? 0
            if size == nil {
                let object = try await store.head(key).object
                (version, length) = (object.version, object.size)
            }
            guard length <= Int64(limit) else {
                throw StoreError(
                    .unsupportedObject, .read, key: key, message: "has \(length) bytes; at most \(limit) are expected")
            }
            return try await read(
                ReadRequest(
                    key: key, range: ByteRange(offset: 0, length: length), version: version, objectSize: length),
                from: store)
        } catch {
            if error.code == .unsupportedObject { throw VaultError(.damaged, object: name, error.message) }
            var failure = VaultError(error)
            failure.object = name
            throw failure
        }
    }

    private static func read(
        _ request: ReadRequest, from store: any ObjectStore
    ) async throws(StoreError) -> [UInt8] {
        let count = Int(request.range.length)
        let buffer = try await buffer(count, .read, request.key)
        _ = try await store.read(request, into: buffer)
        return buffer.slice(count).withUnsafeBytes { Array($0) }
    }

    /// One attempt to write a whole object. Throws the store's own error: `.preconditionFailed` when the condition does not hold, and
    /// any whose outcome is unknown.
    package static func put(
        _ bytes: [UInt8], _ name: String, to store: any ObjectStore, condition: WriteCondition = .absent
    ) async throws(StoreError) {
        let key = ObjectKey(name)
        var body: BufferSlice?
        if !bytes.isEmpty {
            let buffer = try await buffer(bytes.count, .put, key)
            bytes.withUnsafeBytes { buffer.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
            body = buffer.slice(bytes.count)
        }
        let digest = bytes.withUnsafeBytes { ContentDigest(of: $0) }
        _ = try await store.put(
            PutRequest(key: key, body: body, digest: digest, attributes: ObjectAttributes(), condition: condition))
    }

    private static func buffer(
        _ count: Int, _ operation: StoreOperation, _ key: ObjectKey
    ) async throws(StoreError) -> PooledBuffer {
        let pool = BufferPool(limit: BufferPool.footprint(count))
        do {
            return try await pool.acquire(count)
        } catch {
            throw StoreError(.cancelled, operation, key: key, message: "interrupted")
        }
    }
}
