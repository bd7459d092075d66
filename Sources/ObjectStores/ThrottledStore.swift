package import Buffers
package import ReplicationModel

/// A store that is not asked faster than it likes: its own "slow down" and the user's byte rate are obeyed by all callers together.
package struct ThrottledStore: ObjectStore {
    private let base: any ObjectStore
    private let limit: AdaptiveLimit
    /// Counts the bytes of `read` only, so that a limited source limits the whole pair once.
    private let rate: ByteRateLimit?

    package init(_ base: any ObjectStore, rate: ByteRateLimit? = nil, time: any Timekeeper) {
        self.base = base
        self.rate = rate
        limit = AdaptiveLimit(maximum: base.capabilities.maxConcurrency, time: time)
    }

    package var name: String { base.name }
    package var capabilities: StoreCapabilities { base.capabilities }
    package var rules: any ObjectRules { base.rules }

    private func throttled<R>(_ call: () async throws(StoreError) -> R) async throws(StoreError) -> R {
        let round = await limit.enter()
        do throws(StoreError) {
            let result = try await call()
            limit.leave(round, throttled: nil)
            return result
        } catch {
            limit.leave(round, throttled: error.askedPause)
            throw error
        }
    }

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        try await throttled { () throws(StoreError) in try await base.list(request) }
    }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await throttled { () throws(StoreError) in try await base.head(key) }
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await throttled { () throws(StoreError) in
            try await base.checksums(of: key, version: version, size: size)
        }
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        if let rate {
            do { try await rate.admit(request.range.length) } catch {
                throw StoreError(
                    .cancelled, .read, key: request.key, message: "interrupted while waiting for the byte rate")
            }
        }
        return try await throttled { () throws(StoreError) in try await base.read(request, into: buffer) }
    }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await throttled { () throws(StoreError) in try await base.put(request) }
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await throttled { () throws(StoreError) in try await base.beginUpload(request) }
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await throttled { () throws(StoreError) in try await base.uploadPart(part, of: session) }
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await throttled { () throws(StoreError) in try await base.copyPart(part, of: session) }
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await throttled { () throws(StoreError) in try await base.listParts(of: session) }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await throttled { () throws(StoreError) in try await base.completeUpload(request, of: session) }
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await throttled { () throws(StoreError) in try await base.abortUpload(session) }
    }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await throttled { () throws(StoreError) in try await base.openUploads(request) }
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await throttled { () throws(StoreError) in try await base.copy(request) }
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        let round = await limit.enter()
        let results = await base.delete(requests)
        let pauses = results.compactMap { if case .failure(let error) = $0 { error.askedPause } else { nil } }
        limit.leave(round, throttled: pauses.max())
        return results
    }
}

extension StoreError {
    /// How long the store wants to be left alone; nil when it did not ask.
    fileprivate var askedPause: Duration? {
        switch (code, retry) {
        case (_, .after(let pause)): pause
        case (.throttled, _): .zero
        default: nil
        }
    }
}
