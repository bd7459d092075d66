import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// One upload of a large object at the target: opened or continued, filled by a feeder of parts, completed.
///
/// The upload is in the ledger before its first part, and every part is after the target has confirmed it: a run that ends at any
/// point leaves an upload that the next one continues with what is missing. Not so at a target that shows writes by commits: there an
/// upload ends with its process, and the ledger hears nothing of it.
struct MultipartUpload {
    /// An upload that takes parts, and those that the target has already.
    struct Opened {
        let session: UploadSession
        let present: [Int: RecordedPart]
        let isContinued: Bool
    }

    /// What a feeder has brought to the target.
    struct Content: Sendable {
        /// All of them, in order.
        var parts: [PartReceipt]
        /// BLAKE3 of all their bytes, where the source reports one and every byte was read in this run.
        var blake3: [UInt8]?
    }

    /// What the target has confirmed.
    struct Completed {
        var digest: ContentDigest
        var blake3: [UInt8]?
        var receipt: WriteReceipt
    }

    let context: RunContext
    let object: ListedObject
    let attributes: ObjectAttributes
    let condition: WriteCondition
    let fingerprint: String?
    /// What the source says of the whole object.
    let sourceChecksums: ObjectChecksums
    /// What the ledger says of the key before this copy.
    let row: LedgerRow?
    /// How the feeder cuts parts.
    let partSize: Int64
    let isCutByContent: Bool

    /// - Parameter feed: brings every part that is not present to the target.
    func run(_ feed: (Opened) async throws -> Content) async throws -> Completed {
        let opened: Opened
        if let found = try await continued() { opened = found } else { opened = try await begin() }
        do {
            return try await fill(opened, feed)
        } catch let failure as TransferFailure where beginsAgain(opened, failure) && !Task.isCancelled {
            try await context.abort(opened.session)
            return try await fill(begin(), feed)
        }
    }

    /// Once: what an earlier run left is not what the ledger says, or somebody has discarded this run's upload.
    private func beginsAgain(_ opened: Opened, _ failure: TransferFailure) -> Bool {
        guard failure.meansLostParts else { return false }
        return opened.isContinued || failure.code == .store(.missingUpload)
    }

    private func fill(_ opened: Opened, _ feed: (Opened) async throws -> Content) async throws -> Completed {
        do {
            let content = try await feed(opened)
            let digest = content.parts.reduce(ContentDigest()) { $0.appending($1.digest!) }
            try digest.check(against: sourceChecksums)
            if let blake3 = content.blake3 { try BLAKE3Check(sourceChecksums)?.compare(blake3) }
            let (receipt, isOwn) = try await complete(opened.session, content.parts, digest)
            if isOwn {
                if context.keepsUploads { try await context.ledger.record(.closeUpload(opened.session)) }
            } else {
                // Completed behind a lost reply, or somebody else has brought the same bytes: then the upload is still open.
                try await context.abort(opened.session)
            }
            return Completed(digest: digest, blake3: content.blake3, receipt: receipt)
        } catch {
            let failure = TransferFailure(error)
            // What the next run can go on with stays, as everything does when this run is ended.
            if !Task.isCancelled, !failure.mayPass || !context.keepsUploads, !beginsAgain(opened, failure) {
                try await context.abort(opened.session)
            }
            throw error
        }
    }

    /// Sends one part. It counts once it is noted down.
    func send(_ part: PartRequest, of session: UploadSession) async throws -> RecordedPart {
        do throws(StoreError) {
            let receipt = try await context.target.uploadPart(part, of: session)
            context.progress.update { $0.sentBytes += Int64(part.body.count) }
            // What counts is the digest of what was read, not what the store says it got.
            return RecordedPart(number: part.number, offset: part.offset, digest: part.digest, tag: receipt.tag)
        } catch {
            throw TransferFailure(.target, error)
        }
    }

    /// Makes a part durable in the ledger. Not under a permit: others can use it meanwhile.
    func note(_ part: RecordedPart, of session: UploadSession) async throws -> PartReceipt {
        if context.keepsUploads { try await context.ledger.commit(.uploadedPart(part, of: session)) }
        return part.receipt
    }

    // MARK: Opening

    private func begin() async throws -> Opened {
        let request = UploadRequest(
            key: object.key, size: object.size, partSize: partSize, attributes: attributes, condition: condition)
        guard context.keepsUploads else {
            do throws(StoreError) {
                return Opened(session: try await context.target.beginUpload(request), present: [:], isContinued: false)
            } catch {
                throw TransferFailure(.target, error)
            }
        }
        // The intent first: an upload that was opened and whose handle was lost with the process is found by its key.
        let intent = UploadSession(
            key: object.key, handle: UploadRecord.intentHandle(object.key), size: object.size, partSize: partSize)
        var record = UploadRecord(
            session: intent, sourceVersion: object.version, condition: condition, attributes: attributes,
            isCutByContent: isCutByContent, openedAt: context.time.nowSeconds())
        try await context.ledger.commit(.openUpload(record))
        let session: UploadSession
        do throws(StoreError) {
            session = try await context.target.beginUpload(request)
        } catch {
            if error.retry == .never, !Task.isCancelled { try await context.ledger.record(.closeUpload(intent)) }
            throw TransferFailure(.target, error)
        }
        record.session = session
        do {
            try await context.ledger.commit(.closeUpload(intent), .openUpload(record))
        } catch {
            if !Task.isCancelled { try await context.abort(session) }
            throw error
        }
        return Opened(session: session, present: [:], isContinued: false)
    }

    /// The newest upload of an earlier run that is for just this copy; all others of the key are discarded.
    private func continued() async throws -> Opened? {
        var found: Opened?
        for record in context.openUploads.take(object.key) {
            if found == nil, !record.isIntent, isContinuable(record), let present = try await parts(of: record.session)
            {
                found = Opened(session: record.session, present: present, isContinued: true)
                let bytes = present.values.reduce(0) { $0 + $1.digest.length }
                context.progress.update { $0.resumedBytes += bytes }
            } else {
                try await context.discard(record)
            }
        }
        return found
    }

    private func isContinuable(_ record: UploadRecord) -> Bool {
        record.sourceVersion == object.version && record.session.size == object.size && record.condition == condition
            && record.attributes == attributes && record.isCutByContent == isCutByContent
            && record.session.partSize <= Int64(context.pool.limit)
            && context.time.nowSeconds() - record.openedAt < OpenUploads.usefulSeconds
    }

    /// The parts on which the target and the ledger agree; nil when the upload is gone.
    private func parts(of session: UploadSession) async throws -> [Int: RecordedPart]? {
        let held: [UploadedPart]
        do throws(StoreError) {
            held = try await context.target.listParts(of: session)
        } catch {
            guard error.code == .missingUpload || error.code == .notFound else { throw TransferFailure(.target, error) }
            return nil
        }
        let stored = Dictionary(held.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        var present: [Int: RecordedPart] = [:]
        for part in try await context.ledger.parts(of: session) where stored[part.number].map(part.isHeld) == true {
            // Where parts go in order, what is behind a gap must be sent again anyway.
            if session.partOrder == .sequential, part.number != present.count + 1 { break }
            present[part.number] = part
        }
        return present
    }

    // MARK: Ending

    private func complete(_ session: UploadSession, _ parts: [PartReceipt], _ digest: ContentDigest) async throws
        -> (receipt: WriteReceipt, isOwn: Bool)
    {
        let write = ConditionalWrite(
            context: context, object: object, condition: condition, digest: digest, fingerprint: fingerprint, row: row)
        let request = CompleteRequest(parts: parts, digest: digest, attributes: attributes, condition: condition)
        return try await write.perform { () throws(StoreError) in
            try await context.target.completeUpload(request, of: session)
        }
    }
}

extension RecordedPart {
    /// Whether the store's word for the part agrees with the ledger's.
    func isHeld(_ stored: UploadedPart) -> Bool {
        stored.size == digest.length && stored.tag == tag
            && stored.checksums.agrees(with: ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme))
                != false
    }
}
