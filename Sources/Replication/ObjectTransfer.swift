import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Copies one object: read a pinned version → digest → write under a condition → verify → ledger.
///
/// Small objects go through one buffer, one read and one write; large ones through `MultipartUploader`, or `DeltaUploader` where
/// they are cut by content.
struct ObjectTransfer {
    let context: RunContext
    let condition: WriteCondition
    let reason: CopyReason
    /// What the ledger says of the key before the copy.
    let row: LedgerRow?
    /// Whether exactly the version listed is wanted, and no newer one.
    var isPinned = false

    /// Returns after the ledger has the row. Starts again from the new version when the source changes in between, unless it is pinned.
    func run(_ listed: ListedObject) async throws {
        var object = listed
        var restarts = 0
        while true {
            do {
                let (row, segments) = try await copy(object)
                try await context.ledger.record(.record(row))
                if let segments {
                    try await context.ledger.record(.segments(segments, of: row.key, at: row.targetVersion))
                }
                context.progress.update {
                    $0.copiedObjects += 1
                    $0.copiedBytes += row.size
                }
                context.observer.handle(.copied(row.key, size: row.size, reason: reason, evidence: row.evidence))
                return
            } catch let failure as TransferFailure where failure.side == .source && failure.startsAgain {
                if isPinned, failure.meansMoved { throw failure }
                restarts += 1
                guard restarts <= context.options.maxRestarts else { throw exhausted(failure, object) }
                if !isPinned { object = try await currentVersion(of: object) }
            }
        }
    }

    /// What the target has confirmed, before it is verified.
    private struct Copied {
        var digest: ContentDigest
        /// BLAKE3 of the bytes that were read, where the source knows it too.
        var blake3: [UInt8]?
        var receipt: WriteReceipt
        /// Without this program's own marks.
        var attributes: ObjectAttributes
        /// How it is cut by content, where it was.
        var segments: [ContentSegment]?
        /// Objects of the target that it was partly made of.
        var origins: Set<DeltaUploader.TargetVersion> = []
    }

    private func copy(_ object: ListedObject) async throws -> (LedgerRow, [ContentSegment]?) {
        // The permit is given back before the copy is verified: reading back takes permits of its own.
        let copied =
            object.size <= context.singleRequestLimit
            ? try await context.transfers.withPermit { try await copyInOneRequest(object) }
            : try await context.largeObjects.withPermit { try await copyInParts(object) }
        var row = LedgerRow(
            of: object, at: copied.receipt.version, copied.digest, .none, verifiedAt: context.time.nowSeconds())
        row.attributes = EncodedAttributes(copied.attributes)
        row.blake3 = copied.blake3
        do {
            row.evidence = try await WriteVerification(
                context: context, key: object.key, digest: copied.digest, blake3: copied.blake3
            ).evidence(for: copied.receipt)
            // A target that hashes what it stores hashed what was sent: its checksums agree.
            if row.blake3 == nil, row.evidence == .reported { row.blake3 = copied.receipt.checksums.blake3 }
            return (row, copied.segments)
        } catch {
            // What is there now is this run's own and not proven: the next run writes it again.
            try await context.ledger.record(.record(row))
            if TransferFailure(error).code == .corrupted { try await context.forgetSegments(of: copied.origins) }
            throw error
        }
    }

    private func copyInOneRequest(_ object: ListedObject) async throws -> Copied {
        let buffer = try await context.pool.acquire(Int(object.size))
        let range = ByteRange(offset: 0, length: object.size)
        let reply = try await fromSource { () throws(StoreError) in
            try await context.source.read(
                ReadRequest(key: object.key, range: range, version: object.version, objectSize: object.size),
                into: buffer)
        }
        try reply.digest.check(against: reply.description.object.checksums)
        let body = object.size == 0 ? nil : buffer.slice(Int(object.size))
        let blake3 = try body.flatMap {
            try BLAKE3Check(reply.description.object.checksums.merging(object.checksums))?.verify($0)
        }
        let (attributes, fingerprint) = targetAttributes(reply.description.attributes, object, digest: reply.digest)
        let write = ConditionalWrite(
            context: context, object: object, condition: condition, digest: reply.digest, fingerprint: fingerprint,
            row: row)
        let (receipt, _) = try await write.perform { () throws(StoreError) in
            try await context.target.put(
                PutRequest(
                    key: object.key, body: body, digest: reply.digest, attributes: attributes, condition: condition))
        }
        context.progress.update { $0.sentBytes += object.size }
        return Copied(
            digest: reply.digest, blake3: blake3, receipt: receipt, attributes: Provenance.strip(attributes))
    }

    private func copyInParts(_ object: ListedObject) async throws -> Copied {
        guard
            let plan = PartPlan(
                size: object.size, preferred: context.options.partSize, memory: Int64(context.pool.limit),
                store: context.target.capabilities)
        else {
            throw TransferFailure(
                .target, .store(.unsupportedObject),
                "\(object.size) bytes do not fit into the parts that the target takes and --memory allows; raise --memory"
            )
        }
        // One request that a large object does not notice, for its attributes and its checksum.
        let description = try await fromSource { () throws(StoreError) in try await context.source.head(object.key) }
        guard description.object.version == object.version, description.object.size == object.size else {
            throw TransferFailure(.source, .store(.versionChanged), "\(object.key) was replaced since it was listed")
        }
        let (attributes, fingerprint) = targetAttributes(description.attributes, object, digest: nil)
        func upload(partSize: Int64, isCutByContent: Bool) -> MultipartUpload {
            MultipartUpload(
                context: context, object: object, attributes: attributes, condition: condition,
                fingerprint: fingerprint, sourceChecksums: description.object.checksums, row: row, partSize: partSize,
                isCutByContent: isCutByContent)
        }
        if let lanes = context.delta, let delta = lanes.plan(for: object, context) {
            let uploader = DeltaUploader(
                upload: upload(partSize: delta.targetPart, isCutByContent: true), plan: delta, lanes: lanes)
            if let copied = try await uploader.run() {
                return Copied(
                    digest: copied.digest, blake3: copied.blake3, receipt: copied.receipt,
                    attributes: Provenance.strip(attributes),
                    segments: copied.segments, origins: copied.origins)
            }
        }
        let uploader = MultipartUploader(upload: upload(partSize: plan.partSize, isCutByContent: false))
        let made = try await uploader.run()
        return Copied(
            digest: made.digest, blake3: made.blake3, receipt: made.receipt, attributes: Provenance.strip(attributes))
    }

    private func targetAttributes(
        _ source: ObjectAttributes, _ object: ListedObject, digest: ContentDigest?
    ) -> (ObjectAttributes, fingerprint: String?) {
        let fingerprint = Provenance.fingerprint(store: context.source.name, key: object.key, version: object.version)
        let (kept, dropped) = Provenance.attributes(
            of: source, fingerprint: fingerprint, digest: digest, rules: context.target.rules)
        if !dropped.isEmpty { context.observer.handle(.attributesDropped(object.key, names: dropped)) }
        return (kept, kept.userMetadata[Provenance.sourceName])
    }

    private func fromSource<R>(_ call: () async throws(StoreError) -> R) async throws -> R {
        do throws(StoreError) { return try await call() } catch { throw TransferFailure(.source, error) }
    }

    /// The source's object as it is now, to start again from.
    private func currentVersion(of object: ListedObject) async throws -> ListedObject {
        try await fromSource { () throws(StoreError) in try await context.source.head(object.key) }.object
    }

    private func exhausted(_ failure: TransferFailure, _ object: ListedObject) -> TransferFailure {
        guard failure.code != .store(.checksumMismatch) else { return failure }
        return TransferFailure(
            .source, .keepsChanging,
            "\(object.key) was replaced \(context.options.maxRestarts + 1) times while it was read; it will be tried in the next run"
        )
    }
}

extension ContentDigest {
    /// Throws when the source store reports another checksum than the bytes that arrived have.
    func check(against reported: ObjectChecksums) throws {
        let arrived = ObjectChecksums(crc32c: crc32c, crc64nvme: crc64nvme)
        guard reported.agrees(with: arrived) == false else { return }
        var failure = TransferFailure(
            .source, .store(.checksumMismatch),
            "the bytes that arrived do not have the checksum that the source reports")
        failure.startsAgain = true
        throw failure
    }
}
