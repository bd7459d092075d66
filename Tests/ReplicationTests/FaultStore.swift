import Buffers
import Digests
import ObjectStores
import ReplicationModel

/// A store whose calls go wrong as told: by a plan, or by any other rule.
final class FaultStore: ObjectStore {
    private let base: any ObjectStore
    private let next: @Sendable (StoreOperation, ObjectKey?) -> Fault?

    init(_ base: any ObjectStore, next: @escaping @Sendable (StoreOperation, ObjectKey?) -> Fault?) {
        self.base = base
        self.next = next
    }

    convenience init(_ base: any ObjectStore, _ plan: FaultPlan) {
        self.init(base) { plan.next($0, $1) }
    }

    var name: String { base.name }
    var capabilities: StoreCapabilities { base.capabilities }
    var rules: any ObjectRules { base.rules }

    private func attempt<R>(
        _ operation: StoreOperation, _ key: ObjectKey?, _ call: (_ flipped: Bool) async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        try await attempt(operation, key, next(operation, key), call)
    }

    private func attempt<R>(
        _ operation: StoreOperation, _ key: ObjectKey?, _ fault: Fault?,
        _ call: (_ flipped: Bool) async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        switch fault {
        case nil: return try await call(false)
        case .error(let code, let retry):
            throw StoreError(code, operation, key: key, message: "planned", retry: retry)
        case .lostReply:
            _ = try await call(false)
            throw Self.unknown(operation, key)
        case .lostRequest: throw Self.unknown(operation, key)
        case .shortRead: throw StoreError(.network, operation, key: key, message: "half arrived", retry: .transient)
        case .flippedBit: return try await call(true)
        case .before(let action):
            await action()
            return try await call(false)
        case .after(let action):
            let result = try await call(false)
            await action()
            return result
        case .page: preconditionFailure("only listings have pages")
        }
    }

    private static func unknown(_ operation: StoreOperation, _ key: ObjectKey?) -> StoreError {
        StoreError(.network, operation, key: key, message: "no reply", retry: .unknownOutcome)
    }

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        let fault = next(.list, nil)
        if case .page(let change) = fault { return change(try await base.list(request)) }
        return try await attempt(.list, nil, fault) { _ throws(StoreError) in try await base.list(request) }
    }

    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await attempt(.head, key) { _ throws(StoreError) in try await base.head(key) }
    }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await attempt(.head, key) { _ throws(StoreError) in
            try await base.checksums(of: key, version: version, size: size)
        }
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await attempt(.read, request.key) { flipped throws(StoreError) in
            let reply = try await base.read(request, into: buffer)
            guard flipped, request.range.length > 0 else { return reply }
            buffer.base.assumingMemoryBound(to: UInt8.self)[0] ^= 1
            let digest = buffer.slice(Int(request.range.length)).withUnsafeBytes { ContentDigest(of: $0) }
            return ReadReply(description: reply.description, digest: digest)
        }
    }

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await attempt(.put, request.key) { flipped throws(StoreError) in
            guard flipped, let body = request.body else { return try await base.put(request) }
            var request = request
            (request.body, request.digest) = await Self.flipped(body)
            return try await base.put(request)
        }
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await attempt(.uploadPart, session.key) { flipped throws(StoreError) in
            guard flipped else { return try await base.uploadPart(part, of: session) }
            var wrong = part
            (wrong.body, wrong.digest) = await Self.flipped(part.body)
            var receipt = try await base.uploadPart(wrong, of: session)
            receipt.digest = part.digest
            return receipt
        }
    }

    private static func flipped(_ body: BufferSlice) async -> (BufferSlice, ContentDigest) {
        let pool = BufferPool(limit: BufferPool.footprint(body.count))
        guard let copy = try? await pool.acquire(body.count) else { return (body, ContentDigest()) }
        copy.base.copyMemory(from: body.pointer, byteCount: body.count)
        copy.base.assumingMemoryBound(to: UInt8.self)[0] ^= 1
        let slice = copy.slice(body.count)
        return (slice, slice.withUnsafeBytes { ContentDigest(of: $0) })
    }

    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await attempt(.beginUpload, request.key) { _ throws(StoreError) in try await base.beginUpload(request) }
    }

    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await attempt(.copyPart, session.key) { _ throws(StoreError) in try await base.copyPart(part, of: session) }
    }

    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await attempt(.listParts, session.key) { _ throws(StoreError) in try await base.listParts(of: session) }
    }

    func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await attempt(.completeUpload, session.key) { _ throws(StoreError) in
            try await base.completeUpload(request, of: session)
        }
    }

    func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await attempt(.abortUpload, session.key) { _ throws(StoreError) in try await base.abortUpload(session) }
    }

    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await attempt(.openUploads, nil) { _ throws(StoreError) in try await base.openUploads(request) }
    }

    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await attempt(.copy, request.source) { _ throws(StoreError) in try await base.copy(request) }
    }

    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results: [Result<Void, StoreError>] = []
        for request in requests {
            do throws(StoreError) {
                results += try await attempt(.delete, request.key) { _ throws(StoreError) in
                    await base.delete([request])
                }
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }
}
