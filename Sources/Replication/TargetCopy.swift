import Manifests
import ObjectStores
import ReplicationModel

/// Copies an object inside the target, by one request or, where it is too large for that, by ranges.
struct TargetCopy {
    let context: RunContext

    func copy(_ object: DeleteCandidate, to destination: ObjectKey) async throws {
        guard object.size > context.target.capabilities.maxCopySize else {
            return try await copyAtOnce(object, to: destination)
        }
        guard context.target.capabilities.copiesParts else {
            throw TransferFailure(
                .target, .store(.unsupportedOperation),
                "the target cannot copy an object of \(object.size) bytes to the backup prefix, so it was not deleted; "
                    + "--permanent-delete deletes without a backup")
        }
        try await copyParts(object, to: destination)
    }

    /// The destination is this run's own and the source is pinned: a copy whose reply was lost is made again.
    private func copyAtOnce(_ object: DeleteCandidate, to destination: ObjectKey) async throws {
        let request = CopyRequest(
            source: object.key, sourceVersion: object.targetVersion, size: object.size, destination: destination,
            condition: .unconditional)
        var attempt = 1
        while true {
            do throws(StoreError) {
                _ = try await context.target.copy(request)
                return
            } catch {
                guard error.retry == .unknownOutcome, attempt < ConditionalWrite.maxAttempts, !Task.isCancelled else {
                    throw TransferFailure(.target, error)
                }
            }
            try await context.time.sleep(for: .milliseconds(200 << attempt))
            attempt += 1
        }
    }

    private func copyParts(_ object: DeleteCandidate, to destination: ObjectKey) async throws {
        let store = context.target
        // Ranges that stay inside the store cost no memory: as large as a copy may be.
        let preferred = min(store.capabilities.partSize.upperBound, 1 << 30)
        guard let plan = PartPlan(size: object.size, preferred: preferred, memory: .max, store: store.capabilities)
        else {
            throw TransferFailure(.target, .store(.unsupportedObject), "too large for the target's own copies")
        }
        do {
            let description = try await store.head(object.key)
            let session = try await store.beginUpload(
                UploadRequest(
                    key: destination, size: object.size, partSize: plan.partSize, attributes: description.attributes,
                    condition: .unconditional))
            do {
                let record = UploadRecord(
                    session: session, sourceVersion: object.targetVersion, condition: .unconditional,
                    attributes: description.attributes, isCutByContent: false, openedAt: context.time.nowSeconds())
                try await context.ledger.commit(.openUpload(record))
                var parts: [PartReceipt] = []
                for number in 1...plan.count {
                    let range = plan.range(number)
                    parts.append(
                        try await store.copyPart(
                            PartCopyRequest(
                                number: number, offset: range.offset, source: object.key,
                                sourceVersion: object.targetVersion, range: range), of: session))
                }
                _ = try await store.completeUpload(
                    CompleteRequest(
                        parts: parts, digest: nil, attributes: description.attributes, condition: .unconditional),
                    of: session)
            } catch {
                // When the run is interrupted, the next one aborts what the ledger says is open.
                if !Task.isCancelled {
                    try await store.abortUpload(session)
                    try await context.ledger.record(.closeUpload(session))
                }
                throw error
            }
            try await context.ledger.record(.closeUpload(session))
        } catch {
            throw TransferFailure(error, side: .target)
        }
    }
}
