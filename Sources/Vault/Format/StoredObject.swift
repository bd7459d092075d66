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

    /// Pages without any entry that a listing may begin with.
    private static let maxEmptyPages = 1000
    /// Attempts at a write whose outcome nobody tells.
    private static let maxAttempts = 4

    /// Writes an object that must not be there yet, and settles lost replies by reading back.
    /// - Returns: false when another one is there. The bytes hold something random, so equal ones are these.
    package static func create(
        _ bytes: [UInt8], _ name: String, in store: any ObjectStore
    ) async throws(VaultError) -> Bool {
        var attempt = 1
        while true {
            let failure: StoreError
            do throws(StoreError) {
                try await put(bytes, name, to: store)
                return true
            } catch {
                failure = error
            }
            var explained = VaultError(failure)
            explained.object = name
            guard failure.code == .preconditionFailed || failure.retry == .unknownOutcome else { throw explained }
            do throws(VaultError) {
                return try await read(name, from: store, limit: bytes.count) == bytes
            } catch {
                // Longer than these bytes: another object.
                if error.code == .damaged { return false }
                guard error.code == .missing else { throw error }
            }
            guard attempt < maxAttempts else { throw explained }
            attempt += 1
        }
    }

    /// All names that begin with `prefix`, in the store's order. Throws `.damaged` when there are more than `limit`.
    /// - Parameter after: only names behind it.
    package static func names(
        _ prefix: String, after: String? = nil, in store: any ObjectStore, limit: Int
    ) async throws(VaultError) -> [String] {
        var names: [String] = []
        var request = ListRequest(prefix: ObjectKey(prefix), startAfter: after.map { ObjectKey($0) })
        // Pages may be empty, but not for ever.
        for _ in 0...limit {
            let page: ListPage
            do throws(StoreError) {
                page = try await store.list(request)
                guard page.next == nil || page.next != request.cursor else {
                    throw StoreError(.invalidResponse, .list, message: "the listing of \(prefix) does not go on")
                }
            } catch {
                throw VaultError(error)
            }
            names += page.objects.map(\.key.text)
            guard names.count <= limit else { break }
            guard let next = page.next else { return names }
            request.cursor = next
        }
        throw VaultError(
            .damaged, object: prefix, "more than \(limit) objects are there: delete what is not the vault's")
    }

    /// Whether no name begins with `prefix`.
    package static func isEmpty(_ prefix: String, in store: any ObjectStore) async throws(VaultError) -> Bool {
        var request = ListRequest(prefix: ObjectKey(prefix), limit: 1)
        for _ in 0..<maxEmptyPages {
            do throws(StoreError) {
                let page = try await store.list(request)
                guard page.objects.isEmpty else { return false }
                guard let next = page.next else { return true }
                request.cursor = next
            } catch {
                throw VaultError(error)
            }
        }
        throw VaultError(
            StoreError(.invalidResponse, .list, message: "the listing of \(prefix) has too many empty pages"))
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
