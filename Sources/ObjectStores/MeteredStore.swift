package import Buffers
import Digests
package import ReplicationModel
import Synchronization

/// Requests and payload bytes of one store.
package struct StoreMeter: Sendable, Hashable {
    package var requests: [StoreOperation: Int] = [:]
    package var failures: [StoreOperation: Int] = [:]
    package var bytesRead: Int64 = 0
    package var bytesWritten: Int64 = 0
    /// Attempts that were waited for because one before them had failed.
    package var retries = 0
    /// Answers that asked for fewer requests.
    package var throttles = 0
    /// Reads of ranges that succeeded, and writes of objects and parts.
    package var reads = LatencyHistogram()
    package var writes = LatencyHistogram()

    package init() {}

    package mutating func add(_ other: StoreMeter) {
        requests.merge(other.requests, uniquingKeysWith: +)
        failures.merge(other.failures, uniquingKeysWith: +)
        bytesRead += other.bytesRead
        bytesWritten += other.bytesWritten
        retries += other.retries
        throttles += other.throttles
        reads.add(other.reads)
        writes.add(other.writes)
    }
}

/// A store that counts: every attempt, so it belongs below the decorator that retries.
package final class MeteredStore: ObjectStore {
    private let base: any ObjectStore
    private let time: any Timekeeper
    private let state = Mutex(StoreMeter())

    package init(_ base: any ObjectStore, time: any Timekeeper = SystemTime()) {
        self.base = base
        self.time = time
    }

    /// For the decorator above this one that waits and tries again.
    package func countRetry() {
        state.withLock { $0.retries += 1 }
    }

    package var meter: StoreMeter { state.withLock { $0 } }

    package var name: String { base.name }
    package var capabilities: StoreCapabilities { base.capabilities }
    package var rules: any ObjectRules { base.rules }

    private func counting<R>(
        _ operation: StoreOperation, read: Int64 = 0, written: Int64 = 0, _ call: () async throws(StoreError) -> R
    ) async throws(StoreError) -> R {
        let started = read + written > 0 ? time.monotonic() : 0
        do throws(StoreError) {
            let result = try await call()
            let elapsed = read + written > 0 ? time.monotonic() - started : 0
            state.withLock {
                $0.requests[operation, default: 0] += 1
                $0.bytesRead += read
                $0.bytesWritten += written
                if read > 0 { $0.reads.add(elapsed) } else if written > 0 { $0.writes.add(elapsed) }
            }
            return result
        } catch {
            state.withLock {
                $0.requests[operation, default: 0] += 1
                $0.failures[operation, default: 0] += 1
                if error.code == .throttled { $0.throttles += 1 }
            }
            throw error
        }
    }

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        try await counting(.list) { () throws(StoreError) in try await base.list(request) }
    }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await counting(.head) { () throws(StoreError) in try await base.head(key) }
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await counting(.head) { () throws(StoreError) in
            try await base.checksums(of: key, version: version, size: size)
        }
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await counting(.read, read: request.range.length) { () throws(StoreError) in
            try await base.read(request, into: buffer)
        }
    }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try await counting(.put, written: request.digest.length) { () throws(StoreError) in try await base.put(request)
        }
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await counting(.beginUpload) { () throws(StoreError) in try await base.beginUpload(request) }
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await counting(.uploadPart, written: Int64(part.body.count)) { () throws(StoreError) in
            try await base.uploadPart(part, of: session)
        }
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await counting(.copyPart) { () throws(StoreError) in try await base.copyPart(part, of: session) }
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await counting(.listParts) { () throws(StoreError) in try await base.listParts(of: session) }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await counting(.completeUpload) { () throws(StoreError) in
            try await base.completeUpload(request, of: session)
        }
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await counting(.abortUpload) { () throws(StoreError) in try await base.abortUpload(session) }
    }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await counting(.openUploads) { () throws(StoreError) in try await base.openUploads(request) }
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try await counting(.copy) { () throws(StoreError) in try await base.copy(request) }
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        let results = await base.delete(requests)
        var failed = 0
        var throttled = 0
        for case .failure(let error) in results {
            failed += 1
            if error.code == .throttled { throttled += 1 }
        }
        state.withLock {
            $0.requests[.delete, default: 0] += requests.count
            if failed > 0 { $0.failures[.delete, default: 0] += failed }
            $0.throttles += throttled
        }
        return results
    }
}
