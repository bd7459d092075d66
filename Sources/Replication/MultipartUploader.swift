import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Moves one large object part by part: each part is read from the pinned source version into a pooled buffer and sent from it.
///
/// The session is in the ledger before the first part. On failure the upload is aborted; when the run is interrupted
/// it stays in the ledger for the next one to deal with.
struct MultipartUploader {
    let context: RunContext
    let object: ListedObject
    let plan: PartPlan
    let attributes: ObjectAttributes
    let condition: WriteCondition
    let fingerprint: String?
    let sourceChecksums: ObjectChecksums
    /// What the ledger says of the key before this copy.
    let row: LedgerRow?

    func run() async throws -> (ContentDigest, WriteReceipt) {
        let session = try await begin()
        do {
            try await context.ledger.commit(.openUpload(session))
            let parts = try await sendParts(of: session)
            let digest = parts.reduce(ContentDigest()) { $0.appending($1.digest!) }
            try digest.check(against: sourceChecksums)
            let receipt = try await complete(session, parts, digest)
            try await context.ledger.record(.closeUpload(session))
            return (digest, receipt)
        } catch {
            if !Task.isCancelled { try await abort(session) }
            throw error
        }
    }

    private func begin() async throws -> UploadSession {
        let request = UploadRequest(
            key: object.key, size: object.size, partSize: plan.partSize, attributes: attributes, condition: condition)
        do throws(StoreError) {
            return try await context.target.beginUpload(request)
        } catch {
            throw TransferFailure(.target, error)
        }
    }

    private func sendParts(of session: UploadSession) async throws -> [PartReceipt] {
        switch session.partOrder {
        case .parallel: try await sendInParallel(session)
        case .sequential: try await sendInOrder(session)
        }
    }

    /// A sliding window: the task group never holds more parts than may be in flight.
    private func sendInParallel(_ session: UploadSession) async throws -> [PartReceipt] {
        var receipts = [PartReceipt?](repeating: nil, count: plan.count)
        try await withThrowingTaskGroup(of: PartReceipt.self) { group in
            var next = 1
            var running = 0
            while next <= plan.count || running > 0 {
                if next <= plan.count, running < context.options.concurrency {
                    let number = next
                    group.addTask(executorPreference: context.nextExecutor()) {
                        try await sendPart(number, of: session)
                    }
                    next += 1
                    running += 1
                } else if let receipt = try await group.next() {
                    receipts[receipt.number - 1] = receipt
                    running -= 1
                }
            }
        }
        return receipts.map { $0! }
    }

    /// For stores that take parts only one after the other: the next part is read while this one is sent.
    private func sendInOrder(_ session: UploadSession) async throws -> [PartReceipt] {
        var receipts: [PartReceipt] = []
        receipts.reserveCapacity(plan.count)
        var current = try await readPart(1)
        for number in 1...plan.count {
            async let following = number < plan.count ? readPart(number + 1) : nil
            receipts.append(try await upload(current!, of: session))
            // Given back before the wait: objects that each hold a buffer and wait for another would wait for ever.
            current = nil
            current = try await following
        }
        return receipts
    }

    private func sendPart(_ number: Int, of session: UploadSession) async throws -> PartReceipt {
        try await context.transfers.withPermit {
            guard let part = try await readPart(number) else { throw CancellationError() }
            return try await upload(part, of: session)
        }
    }

    private func readPart(_ number: Int) async throws -> PartRequest? {
        let range = plan.range(number)
        let buffer = try await context.pool.acquire(Int(range.length))
        do throws(StoreError) {
            let reply = try await context.source.read(
                ReadRequest(key: object.key, range: range, version: object.version, objectSize: object.size),
                into: buffer)
            return PartRequest(
                number: number, offset: range.offset, body: buffer.slice(Int(range.length)), digest: reply.digest)
        } catch {
            throw TransferFailure(.source, error)
        }
    }

    private func upload(_ part: PartRequest, of session: UploadSession) async throws -> PartReceipt {
        do throws(StoreError) {
            var receipt = try await context.target.uploadPart(part, of: session)
            // What counts is what was read, not what the store says it got.
            receipt.digest = part.digest
            context.progress.update { $0.sentBytes += Int64(part.body.count) }
            return receipt
        } catch {
            throw TransferFailure(.target, error)
        }
    }

    private func complete(_ session: UploadSession, _ parts: [PartReceipt], _ digest: ContentDigest) async throws
        -> WriteReceipt
    {
        let write = ConditionalWrite(
            context: context, object: object, condition: condition, digest: digest, fingerprint: fingerprint, row: row)
        let request = CompleteRequest(parts: parts, digest: digest, attributes: attributes, condition: condition)
        return try await write.perform { () throws(StoreError) in
            try await context.target.completeUpload(request, of: session)
        }
    }

    /// Best effort: an upload that cannot be aborted now stays in the ledger, and the next run tries again.
    private func abort(_ session: UploadSession) async throws {
        do throws(StoreError) {
            try await context.target.abortUpload(session)
        } catch {
            context.observer.handle(
                .notice(
                    "an unfinished upload of \(object.key) could not be aborted (\(error)); the next run tries again"))
            return
        }
        try await context.ledger.commit(.closeUpload(session))
    }
}
