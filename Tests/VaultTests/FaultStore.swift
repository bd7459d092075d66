import Buffers
import Digests
import ObjectStores
import ReplicationModel
import Synchronization

/// What goes wrong with one call of a store.
enum Fault: Sendable {
    case error(StoreError.Code, StoreError.Retry = .never)
    /// It is done, and nobody hears of it.
    case lostReply
    /// It is not done, and nobody hears of that either.
    case lostRequest
    /// Reads give other bytes than are stored; writes store other bytes than were sent.
    case flippedBit
    /// A write whose receipt says nothing of the bytes; of `head`, no checksums.
    case mute
    /// Ends as cancelled calls do, after this.
    case interrupted(@Sendable () async -> Void)
    case before(@Sendable () async -> Void)
    case after(@Sendable () async -> Void)
    /// A listing that shows something else.
    case page(@Sendable (ListPage) -> ListPage)
}

/// A store whose calls go wrong as told, and that counts them.
final class FaultStore: ObjectStore {
    private let base: any ObjectStore
    private let rule: @Sendable (StoreOperation, ObjectKey?, _ number: Int) -> Fault?
    private let counts = Mutex<[StoreOperation: Int]>([:])

    /// - Parameter rule: asked before each call, with how many calls of that operation came before it.
    init(
        _ base: any ObjectStore, _ rule: @escaping @Sendable (StoreOperation, ObjectKey?, _ number: Int) -> Fault?
    ) {
        self.base = base
        self.rule = rule
    }

    /// Calls of one operation so far.
    func count(_ operation: StoreOperation) -> Int { counts.withLock { $0[operation] ?? 0 } }

    private func next(_ operation: StoreOperation, _ key: ObjectKey?) -> Fault? {
        let number = counts.withLock { counts in
            defer { counts[operation, default: 0] += 1 }
            return counts[operation] ?? 0
        }
        return rule(operation, key, number)
    }

    var name: String { base.name }
    var capabilities: StoreCapabilities { base.capabilities }
    var rules: any ObjectRules { base.rules }

    private func attempt<R>(
        _ operation: StoreOperation, _ key: ObjectKey?, _ call: (Change?) async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        try await attempt(operation, key, next(operation, key), call)
    }

    private func attempt<R>(
        _ operation: StoreOperation, _ key: ObjectKey?, _ fault: Fault?,
        _ call: (Change?) async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        switch fault {
        case nil: return try await call(nil)
        case .error(let code, let retry):
            throw StoreError(code, operation, key: key, message: "planned", retry: retry)
        case .lostReply:
            _ = try await call(nil)
            throw Self.unknown(operation, key)
        case .lostRequest: throw Self.unknown(operation, key)
        case .flippedBit: return try await call(.flippedBit)
        case .mute: return try await call(.mute)
        case .interrupted(let action):
            await action()
            throw StoreError(.cancelled, operation, key: key, message: "interrupted")
        case .before(let action):
            await action()
            return try await call(nil)
        case .after(let action):
            let result = try await call(nil)
            await action()
            return result
        case .page: preconditionFailure("only listings have pages")
        }
    }

    /// How a call is done otherwise than asked.
    private enum Change {
        case flippedBit, mute
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
        try await attempt(.head, key) { change throws(StoreError) in
            var found = try await base.head(key)
            if change == .mute { found.object.checksums = ObjectChecksums() }
            return found
        }
    }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await attempt(.head, key) { _ throws(StoreError) in
            try await base.checksums(of: key, version: version, size: size)
        }
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await attempt(.read, request.key) { change throws(StoreError) in
            let reply = try await base.read(request, into: buffer)
            guard change == .flippedBit, request.range.length > 0 else { return reply }
            buffer.base.assumingMemoryBound(to: UInt8.self)[0] ^= 1
            let digest = buffer.slice(Int(request.range.length)).withUnsafeBytes { ContentDigest(of: $0) }
            return ReadReply(description: reply.description, digest: digest)
        }
    }

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await attempt(.put, request.key) { change throws(StoreError) in
            guard change == .flippedBit, let body = request.body else {
                return Self.receipt(try await base.put(request), change)
            }
            var request = request
            (request.body, request.digest) = await Self.flipped(body)
            return try await base.put(request)
        }
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await attempt(.uploadPart, session.key) { change throws(StoreError) in
            guard change == .flippedBit else { return try await base.uploadPart(part, of: session) }
            var wrong = part
            (wrong.body, wrong.digest) = await Self.flipped(part.body)
            var receipt = try await base.uploadPart(wrong, of: session)
            receipt.digest = part.digest
            return receipt
        }
    }

    private static func receipt(_ receipt: WriteReceipt, _ change: Change?) -> WriteReceipt {
        guard change == .mute else { return receipt }
        return WriteReceipt(version: receipt.version, checksums: ObjectChecksums(), bytesVerified: false)
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
        try await attempt(.completeUpload, session.key) { change throws(StoreError) in
            Self.receipt(try await base.completeUpload(request, of: session), change)
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
