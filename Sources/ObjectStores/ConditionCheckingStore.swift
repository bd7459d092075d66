package import Buffers
package import ReplicationModel

/// A store whose service ignores the conditions of writes: looks at the object before each conditional write and after it.
///
/// This narrows the window in which another writer goes unnoticed to the write itself; it cannot close it.
package struct ConditionCheckingStore: ObjectStore {
    private let base: any ObjectStore

    package init(_ base: any ObjectStore) {
        self.base = base
    }

    package var name: String { base.name }
    package var capabilities: StoreCapabilities { base.capabilities }
    package var rules: any ObjectRules { base.rules }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await check(request.condition, on: request.key, .put)
        return try await confirm(try await base.put(request), at: request.key, .put)
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await check(request.condition, on: session.key, .completeUpload)
        return try await confirm(try await base.completeUpload(request, of: session), at: session.key, .completeUpload)
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await check(request.condition, on: request.destination, .copy)
        return try await confirm(try await base.copy(request), at: request.destination, .copy)
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results: [Result<Void, StoreError>] = []
        for request in requests {
            do throws(StoreError) {
                if let version = request.version { try await check(.matches(version), on: request.key, .delete) }
                results += await base.delete([request])
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    private func check(_ condition: WriteCondition, on key: ObjectKey, _ operation: StoreOperation)
        async throws(StoreError)
    {
        guard condition != .unconditional else { return }
        let current: VersionToken?
        do throws(StoreError) {
            current = try await base.head(key).object.version
        } catch {
            guard error.code == .notFound else { throw error }
            current = nil
        }
        switch condition {
        case .absent where current == nil, .unconditional: return
        case .matches(let version) where current == version: return
        // What is already gone needs no deleting.
        case .matches where current == nil && operation == .delete: return
        default:
            throw StoreError(
                .preconditionFailed, operation, key: key,
                message: "another version of the object is there than expected")
        }
    }

    /// The write has happened: whatever goes wrong now leaves it for the engine to settle.
    private func confirm(
        _ receipt: WriteReceipt, at key: ObjectKey, _ operation: StoreOperation
    ) async throws(StoreError) -> WriteReceipt {
        let found: VersionToken?
        do throws(StoreError) {
            found = try await base.head(key).object.version
        } catch {
            guard error.code == .notFound else {
                throw StoreError(
                    error.code, operation, key: key, message: "written, but not confirmed: \(error.message)",
                    retry: .unknownOutcome)
            }
            found = nil
        }
        guard found == receipt.version else {
            throw StoreError(
                .preconditionFailed, operation, key: key,
                message: "another writer replaced the object while it was written")
        }
        return receipt
    }

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage { try await base.list(request) }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription { try await base.head(key) }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await base.checksums(of: key, version: version, size: size)
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await base.read(request, into: buffer)
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await base.beginUpload(request)
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await base.uploadPart(part, of: session)
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await base.copyPart(part, of: session)
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await base.listParts(of: session)
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) { try await base.abortUpload(session) }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await base.openUploads(request)
    }
}
