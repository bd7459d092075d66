package import Buffers
package import ReplicationModel

/// A store that tries again what can be tried again: transient failures of every call, and lost replies of the calls that
/// give the same result twice. A lost reply of `put`, `completeUpload` or `copy` is passed on: only the engine can settle it.
package struct RetryingStore: ObjectStore {
    private let base: any ObjectStore
    private let policy: RetryPolicy
    private let budget: RetryBudget
    private let time: any Timekeeper
    /// What says where the service is, for people.
    private let addressName: String
    /// Told before each wait, for logs and meters.
    private let onRetry: @Sendable (StoreError, _ attempt: Int, _ wait: Duration) -> Void

    package init(
        _ base: any ObjectStore, policy: RetryPolicy = RetryPolicy(), time: any Timekeeper,
        addressName: String = "the endpoint",
        onRetry: @escaping @Sendable (StoreError, Int, Duration) -> Void = { _, _, _ in }
    ) {
        self.base = base
        self.policy = policy
        self.budget = RetryBudget(policy)
        self.time = time
        self.addressName = addressName
        self.onRetry = onRetry
    }

    package var name: String { base.name }
    package var capabilities: StoreCapabilities { base.capabilities }
    package var rules: any ObjectRules { base.rules }

    private func retrying<R>(
        repeatable: Bool = true, _ call: () async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        var attempt = 1
        while true {
            do throws(StoreError) {
                let result = try await call()
                budget.earn()
                return result
            } catch {
                if error.code != .unreachable { budget.noteAnswer() }
                guard let wait = wait(after: error, attempt: attempt, repeatable: repeatable), budget.spend() else {
                    throw explained(error)
                }
                onRetry(error, attempt, wait)
                let interrupted = Self.cancelled(error)
                do { try await time.sleep(for: wait) } catch { throw interrupted }
                attempt += 1
            }
        }
    }

    private func wait(after error: StoreError, attempt: Int, repeatable: Bool) -> Duration? {
        let limit =
            isMistaken(error)
            ? policy.maxLookups : error.code == .throttled ? policy.maxRefusals : policy.maxAttempts
        guard attempt < limit else { return nil }
        let jittered = policy.delay(afterAttempt: attempt, random: Double.random(in: 0...1))
        switch error.retry {
        case .never: return nil
        case .transient: return jittered
        case .after(let asked): return asked + jittered
        case .unknownOutcome: return repeatable ? jittered : nil
        }
    }

    /// Nobody has ever answered under the service's name, and nobody is there.
    private func isMistaken(_ error: StoreError) -> Bool { error.isUnknownHost && !budget.hasAnswered }

    private func explained(_ error: StoreError) -> StoreError {
        guard isMistaken(error) else { return error }
        var error = error
        error.message += "; check \(addressName)"
        return error
    }

    private static func cancelled(_ error: StoreError) -> StoreError {
        StoreError(
            .cancelled, error.operation, key: error.key,
            message: "interrupted while waiting to try again after: \(error.message)")
    }

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        try await retrying { () throws(StoreError) in try await base.list(request) }
    }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await retrying { () throws(StoreError) in try await base.head(key) }
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await retrying { () throws(StoreError) in
            try await base.checksums(of: key, version: version, size: size)
        }
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await retrying { () throws(StoreError) in try await base.read(request, into: buffer) }
    }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await retrying(repeatable: false) { () throws(StoreError) in try await base.put(request) }
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await retrying { () throws(StoreError) in try await base.beginUpload(request) }
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await retrying { () throws(StoreError) in try await base.uploadPart(part, of: session) }
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await retrying { () throws(StoreError) in try await base.copyPart(part, of: session) }
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await retrying { () throws(StoreError) in try await base.listParts(of: session) }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await retrying(repeatable: false) { () throws(StoreError) in
            try await base.completeUpload(request, of: session)
        }
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await retrying { () throws(StoreError) in try await base.abortUpload(session) }
    }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await retrying { () throws(StoreError) in try await base.openUploads(request) }
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await retrying(repeatable: false) { () throws(StoreError) in try await base.copy(request) }
    }

    /// Tries those again that failed and can be: a conditional delete whose reply was lost finds the object gone, and that is success.
    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results = await base.delete(requests)
        var attempt = 1
        while true {
            var again: [Int] = []
            var longest: Duration?
            for (index, result) in results.enumerated() {
                guard case .failure(let error) = result,
                    let wait = wait(after: error, attempt: attempt, repeatable: true)
                else { continue }
                again.append(index)
                longest = max(longest ?? wait, wait)
                if again.count == 1 { onRetry(error, attempt, wait) }
            }
            guard let longest, budget.spend() else { return results }
            do { try await time.sleep(for: longest) } catch { return results }
            let repeated = await base.delete(again.map { requests[$0] })
            for (index, result) in zip(again, repeated) { results[index] = result }
            attempt += 1
        }
    }
}
