import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// One write of a whole object whose outcome is always known in the end.
///
/// A lost reply is settled by reading back: if the target holds the bytes that were sent, the write is adopted; if it holds what was there
/// before, the write is tried again; anything else is somebody else's object, and a conflict.
///
/// Where the ledger has a row, it learns before the write which bytes are about to come: a run that ends without knowing the outcome
/// leaves the next one able to tell its own work from somebody else's.
struct ConditionalWrite {
    static let maxAttempts = 4

    let context: RunContext
    let object: ListedObject
    let condition: WriteCondition
    let digest: ContentDigest
    /// The provenance mark that the write carries, if there was room for it.
    let fingerprint: String?
    /// What the ledger says of the key before this write.
    let row: LedgerRow?

    private var key: ObjectKey { object.key }

    /// - Returns: the receipt, and whether it is that of `write` itself; else the object was found to be there already.
    func perform(
        _ write: () async throws(StoreError) -> WriteReceipt
    ) async throws -> (receipt: WriteReceipt, isOwn: Bool) {
        do {
            return try await settle(write)
        } catch let failure as TransferFailure where failure.code == .conflict && row == nil {
            // Remembered, so that the next run finds a conflict here again and not an object that it has never heard of.
            try await context.ledger.record(
                .record(
                    LedgerRow(
                        of: object, at: VersionToken(""), digest, .none, verifiedAt: context.time.nowSeconds())))
            throw failure
        }
    }

    private func settle(
        _ write: () async throws(StoreError) -> WriteReceipt
    ) async throws -> (receipt: WriteReceipt, isOwn: Bool) {
        if let version = replaced {
            try await context.ledger.announce(
                LedgerRow(
                    of: object, at: version, digest, .none,
                    verifiedAt: row?.verifiedAt ?? context.time.nowSeconds()))
        }
        var outcomeUnknown = false
        var attempt = 1
        while true {
            do throws(StoreError) {
                return (try await write(), true)
            } catch {
                // A condition that fails at once may do so because of a write of our own that a gateway answered with an error.
                let settles =
                    error.retry == .unknownOutcome || error.code == .preconditionFailed
                    || (outcomeUnknown && Self.meansOverwritten(error))
                guard settles else { throw conflictOrFailure(error) }
                outcomeUnknown = true
                if let receipt = try await readBack(after: error) { return (receipt, false) }
                guard attempt < Self.maxAttempts, !Task.isCancelled else { throw TransferFailure(.target, error) }
                try await context.time.sleep(for: .milliseconds(200 << attempt))
                attempt += 1
            }
        }
    }

    /// The version to announce the bytes over; nil when they need no announcement. What a commit does not keep leaves what was there before:
    /// a staged target's is noted also where the ledger has never heard of it.
    private var replaced: VersionToken? {
        if let row { return row.targetVersion }
        guard context.ledger.isStaged, case .matches(let version) = condition else { return nil }
        return version
    }

    /// After a lost reply: our own success makes the condition fail, and a completed upload is gone.
    private static func meansOverwritten(_ error: StoreError) -> Bool {
        error.code == .preconditionFailed || error.code == .missingUpload
    }

    private func conflictOrFailure(_ error: StoreError) -> TransferFailure {
        guard error.code == .preconditionFailed else { return TransferFailure(.target, error) }
        return TransferFailure(
            .target, .conflict,
            condition == .absent
                ? "another object appeared under this key while it was being copied; it was left as it is"
                : "the object was changed at the target while it was being copied; it was left as it is")
    }

    /// The receipt of the object that is there if it is ours, nil if the write has not happened.
    private func readBack(after error: StoreError) async throws -> WriteReceipt? {
        let found: ObjectDescription
        do throws(StoreError) {
            found = try await context.target.head(key)
        } catch {
            if error.code == .notFound {
                // An absent object under `matches` was deleted by somebody: the write cannot succeed any more.
                if case .matches = condition { throw conflictOrFailure(preconditionFailed) }
                return nil
            }
            throw TransferFailure(.target, error)
        }
        if case .matches(let before) = condition, found.object.version == before {
            if error.code == .preconditionFailed { throw conflictOrFailure(error) }
            return nil
        }
        guard found.object.size == digest.length else { throw conflictOrFailure(preconditionFailed) }
        let sent = ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
        switch found.object.checksums.agrees(with: sent) {
        case true:
            return WriteReceipt(version: found.object.version, checksums: found.object.checksums, bytesVerified: true)
        case false:
            throw conflictOrFailure(preconditionFailed)
        default:
            // No checksum to compare: the mark says whose write it was, reading back says whether the bytes are right.
            if let fingerprint, found.attributes.userMetadata[Provenance.sourceName] != fingerprint {
                throw conflictOrFailure(preconditionFailed)
            }
            return WriteReceipt(version: found.object.version, checksums: ObjectChecksums(), bytesVerified: false)
        }
    }

    private var preconditionFailed: StoreError {
        StoreError(.preconditionFailed, .head, key: key, message: "another object is there")
    }
}

extension LedgerRow {
    /// What is known of `object` and its copy. Evidence `none` vouches for nothing: it says which bytes were being written while the
    /// target held `version`, or that what is there now is this program's own and not proven.
    init(
        of object: ListedObject, at version: VersionToken, _ digest: ContentDigest, _ evidence: EvidenceLevel,
        verifiedAt: Int64
    ) {
        self.init(
            key: object.key, sourceVersion: object.version, sourceModified: object.modified, targetVersion: version,
            size: object.size, checksums: ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme),
            evidence: evidence, verifiedAt: verifiedAt)
    }
}
