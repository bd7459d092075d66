import Buffers
import ObjectStores
import ReplicationModel
import Synchronization

/// A store that asks before each call and may change what goes in and comes out: for failures, and for breaking the contract.
final class HookedStore: ObjectStore {
    let base: any ObjectStore
    var name: String { base.name }
    let capabilities: StoreCapabilities
    var rules: any ObjectRules { base.rules }
    /// Called before each call, with its number from 1 among the calls of its kind; what it throws is what the call throws.
    let before: @Sendable (StoreOperation, ObjectKey?, Int) async throws(StoreError) -> Void
    let condition: @Sendable (WriteCondition) -> WriteCondition
    let page: @Sendable (ListPage) -> ListPage
    let reading: @Sendable (ReadRequest) -> ReadRequest
    private let counts = Mutex<[StoreOperation: Int]>([:])

    init(
        _ base: any ObjectStore = MemoryStore(), capabilities: StoreCapabilities? = nil,
        before: @escaping @Sendable (StoreOperation, ObjectKey?, Int) async throws(StoreError) -> Void = {
            (_, _, _) throws(StoreError) in
        },
        condition: @escaping @Sendable (WriteCondition) -> WriteCondition = { $0 },
        page: @escaping @Sendable (ListPage) -> ListPage = { $0 },
        reading: @escaping @Sendable (ReadRequest) -> ReadRequest = { $0 }
    ) {
        self.base = base
        self.capabilities = capabilities ?? base.capabilities
        self.before = before
        self.condition = condition
        self.page = page
        self.reading = reading
    }

    func count(_ operation: StoreOperation) -> Int { counts.withLock { $0[operation] ?? 0 } }

    private func hook(_ operation: StoreOperation, _ key: ObjectKey?) async throws(StoreError) {
        let number = counts.withLock {
            $0[operation, default: 0] += 1
            return $0[operation]!
        }
        try await before(operation, key, number)
    }

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        try await hook(.list, nil)
        return page(try await base.list(request))
    }

    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await hook(.head, key)
        return try await base.head(key)
    }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await hook(.head, key)
        return try await base.checksums(of: key, version: version, size: size)
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await hook(.read, request.key)
        return try await base.read(reading(request), into: buffer)
    }

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await hook(.put, request.key)
        var request = request
        request.condition = condition(request.condition)
        return try await base.put(request)
    }

    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await hook(.beginUpload, request.key)
        return try await base.beginUpload(request)
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await hook(.uploadPart, session.key)
        return try await base.uploadPart(part, of: session)
    }

    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await hook(.copyPart, session.key)
        return try await base.copyPart(part, of: session)
    }

    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await hook(.listParts, session.key)
        return try await base.listParts(of: session)
    }

    func completeUpload(_ request: CompleteRequest, of session: UploadSession) async throws(StoreError) -> WriteReceipt
    {
        try await hook(.completeUpload, session.key)
        var request = request
        request.condition = condition(request.condition)
        return try await base.completeUpload(request, of: session)
    }

    func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await hook(.abortUpload, session.key)
        try await base.abortUpload(session)
    }

    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await hook(.openUploads, nil)
        return try await base.openUploads(request)
    }

    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await hook(.copy, request.destination)
        var request = request
        request.condition = condition(request.condition)
        return try await base.copy(request)
    }

    /// Each request may fail by itself; a condition that is ignored deletes what is there.
    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results: [Result<Void, StoreError>] = []
        for request in requests {
            do throws(StoreError) {
                try await hook(.delete, request.key)
                var request = request
                if let version = request.version, condition(.matches(version)) == .unconditional {
                    request.version = nil
                }
                results += await base.delete([request])
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }
}

extension StoreError {
    static func busy(_ operation: StoreOperation, _ retry: Retry = .transient) -> StoreError {
        StoreError(.unavailable, operation, message: "try again", retry: retry)
    }
}
