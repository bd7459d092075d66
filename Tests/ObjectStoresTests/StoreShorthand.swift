import Buffers
import Digests
import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures

private let pool = BufferPool(limit: 256 << 20)

/// Whole small objects in one line.
extension ObjectStore {
    @discardableResult
    func write(
        _ bytes: some Sequence<UInt8> & Sendable, to key: ObjectKey, attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .unconditional
    ) async throws -> WriteReceipt {
        let bytes = Array(bytes)
        var body: BufferSlice?
        if !bytes.isEmpty {
            let buffer = try await pool.acquire(bytes.count)
            buffer.base.copyMemory(from: bytes, byteCount: bytes.count)
            body = buffer.slice(bytes.count)
        }
        return try await put(
            PutRequest(
                key: key, body: body, digest: bytes.withUnsafeBytes { ContentDigest(of: $0) }, attributes: attributes,
                condition: condition))
    }

    @discardableResult
    func write(_ text: String, to key: ObjectKey, condition: WriteCondition = .unconditional) async throws
        -> WriteReceipt
    {
        try await write(text.utf8, to: key, condition: condition)
    }

    func bytes(of key: ObjectKey, version: VersionToken? = nil) async throws -> [UInt8] {
        let size = try await head(key).object.size
        let buffer = try await pool.acquire(Int(size))
        _ = try await read(
            ReadRequest(key: key, range: ByteRange(offset: 0, length: size), version: version), into: buffer)
        return buffer.slice(Int(size)).withUnsafeBytes { Array($0) }
    }

    func text(of key: ObjectKey) async throws -> String { String(decoding: try await bytes(of: key), as: UTF8.self) }

    /// Every page of a listing.
    func everything(
        _ prefix: ObjectKey = "", startAfter: ObjectKey? = nil, limit: Int = 1000
    ) async throws -> (keys: [ObjectKey], unlistable: [String: String]) {
        var request = ListRequest(prefix: prefix, startAfter: startAfter, limit: limit)
        var keys: [ObjectKey] = []
        var unlistable: [String: String] = [:]
        repeat {
            let page = try await list(request)
            keys += page.objects.map(\.key)
            for (name, reason) in page.unlistable { unlistable[name] = reason }
            request.cursor = page.next
        } while request.cursor != nil
        return (keys, unlistable)
    }

    func upload(_ parts: [[UInt8]], to key: ObjectKey, complete: Bool = true) async throws -> UploadSession {
        let size = parts.reduce(0) { $0 + $1.count }
        let session = try await beginUpload(
            UploadRequest(
                key: key, size: Int64(size), partSize: Int64(parts[0].count), attributes: ObjectAttributes(),
                condition: .unconditional))
        var receipts: [PartReceipt] = []
        for (index, part) in parts.enumerated() {
            receipts.append(try await send(part, number: index + 1, of: session))
        }
        if complete { try await finish(session, receipts) }
        return session
    }

    func send(_ bytes: [UInt8], number: Int, of session: UploadSession) async throws -> PartReceipt {
        let buffer = try await pool.acquire(bytes.count)
        buffer.base.copyMemory(from: bytes, byteCount: bytes.count)
        return try await uploadPart(
            PartRequest(
                number: number, offset: Int64(number - 1) * session.partSize, body: buffer.slice(bytes.count),
                digest: bytes.withUnsafeBytes { ContentDigest(of: $0) }), of: session)
    }

    @discardableResult
    func finish(_ session: UploadSession, _ parts: [PartReceipt]) async throws -> WriteReceipt {
        let digest = parts.reduce(ContentDigest()) { $0.appending($1.digest!) }
        return try await completeUpload(
            CompleteRequest(parts: parts, digest: digest, attributes: ObjectAttributes(), condition: .unconditional),
            of: session)
    }
}

/// The code that a call fails with; nil when it succeeds.
func failure(of call: () async throws -> Void) async throws -> StoreError? {
    do {
        try await call()
        return nil
    } catch let error as StoreError {
        return error
    }
}

/// Raised once, by one task for another.
final class Flag: Sendable {
    private let value = Atomic(false)

    var isRaised: Bool { value.load(ordering: .relaxed) }

    func raise() { value.store(true, ordering: .relaxed) }
}
