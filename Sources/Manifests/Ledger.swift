package import ObjectStores
package import ReplicationModel

/// One change of the ledger. Written only after the target has confirmed.
package enum LedgerChange: Sendable {
    case record(LedgerRow)
    case forget(ObjectKey)
    /// Intent: an upload is open at the target. Written before its first part.
    case openUpload(UploadRecord)
    /// Observation: the target has this part. Written after it has confirmed the part.
    case uploadedPart(RecordedPart, of: UploadSession)
    case closeUpload(UploadSession)
    /// The key was tried in vain; it is tried first in the next run.
    case failed(ObjectKey, message: String, at: Int64)
    /// Takes back `failed`.
    case recovered(ObjectKey)
    /// How the target's version of a key is cut by content, in order; replaces what was known of the key.
    case segments([ContentSegment], of: ObjectKey, at: VersionToken)
}

/// A target object that the source no longer has, held until the whole run has proven that it may be deleted.
package struct DeleteCandidate: Sendable, Hashable {
    package var key: ObjectKey
    package var targetVersion: VersionToken
    package var size: Int64

    package init(key: ObjectKey, targetVersion: VersionToken, size: Int64) {
        self.key = key
        self.targetVersion = targetVersion
        self.size = size
    }
}

/// The manifest store's view of one replication pair: a row per key, ordered by key bytes.
///
/// Every method that changes something returns after the change is durable.
package protocol Ledger: Sendable {
    /// Rows after `key` (exclusive; nil: from the first) in key order, at most `limit`. Fewer means the end.
    func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow]

    func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow?

    /// Applies all changes in order, in one transaction.
    func apply(_ changes: [LedgerChange]) async throws(LedgerError)

    /// Rises with every transaction that records or forgets a row.
    func revision() async throws(LedgerError) -> Int64

    /// Uploads that were opened and not closed, oldest first.
    func openUploads() async throws(LedgerError) -> [UploadRecord]
    /// The parts of an open upload that the target has confirmed, by number.
    func parts(of session: UploadSession) async throws(LedgerError) -> [RecordedPart]

    /// Keys that failed in an earlier run and not succeeded since, those that failed longest ago first; at most `limit`.
    func failures(limit: Int) async throws(LedgerError) -> [FailedKey]

    /// A place at the target that holds these bytes: a segment of an object whose row still names the version it was cut from.
    func segment(blake3: [UInt8], size: Int64) async throws(LedgerError) -> SegmentLocation?

    /// Takes the pair for one run. From then on every change that this object makes is refused with `.fenced` once another process
    /// has taken the pair: by its epoch, in the same transaction, never by the clock.
    func takeLease(_ request: LeaseRequest) async throws(LedgerError) -> LeaseOutcome
    /// Says that the run is alive; throws `.fenced` when the lease was lost.
    func renewLease(until: Int64) async throws(LedgerError)
    /// Gives the pair back, if it is still held.
    func releaseLease() async throws(LedgerError)

    /// Empties the list of candidates; a run starts with this.
    func clearDeleteCandidates() async throws(LedgerError)
    func addDeleteCandidates(_ candidates: [DeleteCandidate]) async throws(LedgerError)
    /// In key order, after `key` (exclusive), at most `limit`.
    func deleteCandidates(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [DeleteCandidate]

    /// Small facts about the pair (what a probe found out, when the last run ended), by name.
    func note(_ name: String) async throws(LedgerError) -> String?
    func setNote(_ name: String, _ value: String?) async throws(LedgerError)

    /// Rows in total; for progress and limits.
    func count() async throws(LedgerError) -> Int

    /// Ends the use of the ledger; everything is durable after it.
    func close() async throws(LedgerError)
}

package struct LedgerError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The database is damaged: a page or a row fails its check.
        case damaged
        /// Written by a newer version of the program.
        case newerFormat
        /// The database belongs to another pair.
        case otherPair
        case noSpace
        case inaccessible
        /// Another process has taken the pair over: nothing was changed.
        case fenced
        /// Another process is in the middle of a transaction and does not end it.
        case busy
        case failed
    }

    package var code: Code
    /// The database's path, for people.
    package var path: String
    package var message: String

    package init(_ code: Code, path: String, message: String) {
        self.code = code
        self.path = path
        self.message = message
    }

    package var description: String { "ledger \(path): \(message)" }
}
