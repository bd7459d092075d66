import Buffers
import ObjectStores
import ReplicationModel
import Synchronization

/// What was learnt of packs by reading them: size, version, and the cipher of their records. Bounded; whatever is dropped is learnt again.
final class PackDirectory: Sendable {
    private struct Entry {
        var size: Int?
        var version: VersionToken?
        var cipher: RecordCipher?
        var lastUse: UInt64
    }

    private struct State {
        var entries: [PackName: Entry] = [:]
        var opening: [PackName: Promise<Result<RecordCipher, VaultError>>] = [:]
        var clock: UInt64 = 0
    }

    private static let capacity = 1024
    /// Bytes for headers that are on their way.
    private static let headerMemory = 1 << 20

    private let store: any ObjectStore
    private let keys: KeyRing
    private let headers = BufferPool(limit: headerMemory)
    private let state = Mutex(State())

    init(store: any ObjectStore, keys: KeyRing) {
        self.store = store
        self.keys = keys
    }

    /// Bytes of the pack, when a reply has told.
    func size(of pack: PackName) -> Int? { state.withLock { $0.entries[pack]?.size } }

    /// The cipher of the pack's records: reads its header if nobody has. One task reads it, however many want it.
    func cipher(of pack: PackName) async throws(VaultError) -> RecordCipher {
        while true {
            let (known, promise, isNew) = state.withLock { state in
                if let cipher = state.entries[pack]?.cipher {
                    state.clock += 1
                    state.entries[pack]!.lastUse = state.clock
                    return (Optional(cipher), Promise<Result<RecordCipher, VaultError>>(), false)
                }
                if let promise = state.opening[pack] { return (nil, promise, false) }
                let promise = Promise<Result<RecordCipher, VaultError>>()
                state.opening[pack] = promise
                return (nil, promise, true)
            }
            if let known { return known }
            if isNew { await open(pack, promise) }
            do {
                return try await promise.value().get()
            } catch let error as VaultError {
                guard error.code == .cancelled, !isNew, !Task.isCancelled else { throw error }
            } catch {
                throw VaultError(.cancelled, "interrupted")
            }
        }
    }

    private func open(_ pack: PackName, _ promise: Promise<Result<RecordCipher, VaultError>>) async {
        let result: Result<RecordCipher, VaultError>
        do throws(VaultError) {
            let buffer: PooledBuffer
            do { buffer = try await headers.acquire(ObjectHeader.length) } catch {
                throw VaultError(.cancelled, "interrupted")
            }
            try await read(pack, offset: 0, count: ObjectHeader.length, into: buffer)
            let header = UnsafeRawBufferPointer(start: buffer.base, count: ObjectHeader.length)
            defer { withExtendedLifetime(buffer) {} }
            result = .success(try cipher(of: pack, header: header))
        } catch {
            result = .failure(error)
        }
        state.withLock { $0.opening[pack] = nil }
        promise.fulfil(result)
    }

    /// The same from a header that has been read.
    func cipher(of pack: PackName, header: UnsafeRawBufferPointer) throws(VaultError) -> RecordCipher {
        if let known = state.withLock({ $0.entries[pack]?.cipher }) { return known }
        let cipher = try keys.cipher(for: header, pack.type, name: pack.text)
        state.withLock { note(pack, &$0) { $0.cipher = cipher } }
        return cipher
    }

    /// Reads a range of the pack, always of one version.
    func read(_ pack: PackName, offset: Int, count: Int, into buffer: PooledBuffer) async throws(VaultError) {
        let key = ObjectKey(pack.text)
        let (version, size) = state.withLock { ($0.entries[pack]?.version, $0.entries[pack]?.size) }
        let found: ListedObject
        do throws(StoreError) {
            let range = ByteRange(offset: Int64(offset), length: Int64(count))
            found = try await store.read(
                ReadRequest(key: key, range: range, version: version, objectSize: size.map { Int64($0) }),
                into: buffer
            ).description.object
        } catch {
            throw await Self.failure(error, pack, end: offset + count, store)
        }
        state.withLock { note(pack, &$0) { ($0.version, $0.size) = (found.version, Int(found.size)) } }
    }

    /// The pack's size, asked for when no reply has told it yet.
    func askedSize(of pack: PackName) async throws(VaultError) -> Int {
        if let size = size(of: pack) { return size }
        do throws(StoreError) {
            let found = try await store.head(ObjectKey(pack.text)).object
            state.withLock { note(pack, &$0) { ($0.version, $0.size) = (found.version, Int(found.size)) } }
            return Int(found.size)
        } catch {
            throw await Self.failure(error, pack, end: 0, store)
        }
    }

    private func note(_ pack: PackName, _ state: inout State, _ change: (inout Entry) -> Void) {
        state.clock += 1
        if state.entries[pack] == nil, state.entries.count >= Self.capacity {
            state.entries[state.entries.min { $0.value.lastUse < $1.value.lastUse }!.key] = nil
        }
        change(&state.entries[pack, default: Entry(lastUse: 0)])
        state.entries[pack]!.lastUse = state.clock
    }

    /// What a failed read means. Stores say in many ways that a range ends behind the object: then its size tells.
    private static func failure(
        _ error: StoreError, _ pack: PackName, end: Int, _ store: any ObjectStore
    ) async -> VaultError {
        switch error.code {
        case .notFound:
            return VaultError(
                .missing, object: pack.text,
                "the pack is not there, and chunks are said to be in it: restore it, or copy anew")
        case .versionChanged:
            return VaultError(
                .damaged, object: pack.text, "the pack was replaced while it was read, and packs are written once")
        case .invalidRequest where end > 0, .invalidResponse where end > 0:
            do throws(StoreError) {
                let size = try await store.head(ObjectKey(pack.text)).object.size
                if size < Int64(end) { return tooShort(pack, Int(size), end) }
            } catch {
                return await failure(error, pack, end: 0, store)
            }
        default: break
        }
        var failure = VaultError(error)
        failure.object = pack.text
        return failure
    }

    static func tooShort(_ pack: PackName, _ size: Int, _ end: Int) -> VaultError {
        VaultError(
            .damaged, object: pack.text,
            "the pack is cut short: it has \(size) bytes, and a record in it ends at \(end)")
    }
}
