import Buffers
import ChunkPipeline
import Cryptography
import Digests
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// A vault in memory, with a cheap passphrase.
struct VaultStoreFixture {
    let base: any ObjectStore
    var options: VaultOptions

    static let credential = VaultCredential.passphrase(Secret("correct horse battery staple"))

    /// - Parameter base: what holds the vault.
    init(_ base: any ObjectStore = MemoryStore(), chunker: ChunkerProfile = .standard) {
        self.base = base
        options = VaultOptions(
            chunker: chunker, packSize: 8 << 20, scrypt: Scrypt.Parameters(n: 16, r: 1, p: 1))
    }

    func initialise() async throws {
        _ = try await VaultHandle.initialise(
            base, Self.credential, label: "test", options: options, local: { _ in MemoryVaultState() },
            time: SystemTime())
    }

    /// As a process sees it that has `local` from earlier ones.
    func open(_ local: any VaultLocalState = MemoryVaultState()) async throws -> VaultHandle {
        try await VaultHandle.open(base, Self.credential, local: { _ in local }, time: SystemTime())
    }

    func writing(
        _ local: any VaultLocalState = MemoryVaultState(), folder: ObjectKey = ObjectKey([])
    ) async throws -> VaultStore {
        if try await VaultHandle.format(of: base) == nil { try await initialise() }
        return try await VaultStore.writing(
            open(local), source: "memory://source/", host: "host", folder: folder, memory: 64 << 20)
    }

    func reading(_ snapshot: SnapshotChoice = .latest) async throws -> VaultStore {
        try await VaultStore.reading(open(), snapshot: snapshot, memory: 32 << 20)
    }
}

extension ObjectStore {
    /// Writes an object, in one request or in parts of 1 MiB.
    @discardableResult
    func write(
        _ key: ObjectKey, _ bytes: [UInt8], attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .unconditional, inParts: Bool = false
    ) async throws -> WriteReceipt {
        let pool = BufferPool(limit: max(1 << 20, bytes.count + (1 << 20)))
        let buffer = try await pool.acquire(max(1, bytes.count))
        bytes.withUnsafeBytes {
            if let base = $0.baseAddress { buffer.base.copyMemory(from: base, byteCount: $0.count) }
        }
        let digest = bytes.withUnsafeBytes { ContentDigest(of: $0) }
        guard inParts else {
            return try await put(
                PutRequest(
                    key: key, body: bytes.isEmpty ? nil : buffer.slice(bytes.count), digest: digest,
                    attributes: attributes, condition: condition))
        }
        let partSize = 1 << 20
        let session = try await beginUpload(
            UploadRequest(
                key: key, size: Int64(bytes.count), partSize: Int64(partSize), attributes: attributes,
                condition: condition))
        var parts: [PartReceipt] = []
        for offset in stride(from: 0, to: bytes.count, by: partSize) {
            let slice = buffer.slice(bytes.count).slice(offset, min(partSize, bytes.count - offset))
            parts.append(
                try await uploadPart(
                    PartRequest(
                        number: parts.count + 1, offset: Int64(offset), body: slice,
                        digest: slice.withUnsafeBytes { ContentDigest(of: $0) }), of: session))
        }
        return try await completeUpload(
            CompleteRequest(parts: parts, digest: digest, attributes: attributes, condition: condition), of: session)
    }

    func content(_ key: ObjectKey, _ range: Range<Int>? = nil) async throws -> [UInt8] {
        let description = try await head(key)
        let range = range ?? 0..<Int(description.object.size)
        let buffer = try await BufferPool(limit: max(1 << 20, 2 * range.count)).acquire(max(1, range.count))
        _ = try await read(
            ReadRequest(
                key: key, range: ByteRange(offset: Int64(range.lowerBound), length: Int64(range.count)),
                version: description.object.version), into: buffer)
        return Array(UnsafeRawBufferPointer(start: buffer.base, count: range.count))
    }

    func keys(prefix: ObjectKey = ObjectKey([])) async throws -> [ObjectKey] {
        var keys: [ObjectKey] = []
        var cursor: String?
        repeat {
            let page = try await list(ListRequest(prefix: prefix, cursor: cursor))
            keys += page.objects.map(\.key)
            cursor = page.next
        } while cursor != nil
        return keys
    }
}

/// Deterministic bytes that no codec makes smaller.
func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer[index] = UInt8(truncatingIfNeeded: state >> 56)
        }
        initialized = count
    }
}
