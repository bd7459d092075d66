import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// A ledger whose transactions fail or lose changes as told.
final class FaultLedger: Ledger {
    private let base: any Ledger
    private let transactions = Mutex(0)
    /// Throws instead of the N-th transaction and all after it; counted from 1.
    private let failsFrom: Int
    /// Whether a change survives: a run that is killed has not yet written everything.
    private let keeps: @Sendable (LedgerChange) -> Bool

    init(_ base: any Ledger, failsFrom: Int = .max, keeps: @escaping @Sendable (LedgerChange) -> Bool = { _ in true }) {
        self.base = base
        self.failsFrom = failsFrom
        self.keeps = keeps
    }

    func apply(_ changes: [LedgerChange]) async throws(LedgerError) {
        let number = transactions.withLock {
            $0 += 1
            return $0
        }
        guard number < failsFrom else { throw LedgerError(.noSpace, path: "ledger", message: "planned") }
        try await base.apply(changes.filter(keeps))
    }

    func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        try await base.rows(after: key, limit: limit)
    }

    func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? { try await base.row(for: key) }

    func revision() async throws(LedgerError) -> Int64 { try await base.revision() }

    func openUploads() async throws(LedgerError) -> [UploadRecord] { try await base.openUploads() }

    func parts(of session: UploadSession) async throws(LedgerError) -> [RecordedPart] {
        try await base.parts(of: session)
    }

    func failures(limit: Int) async throws(LedgerError) -> [FailedKey] { try await base.failures(limit: limit) }

    func segment(blake3: [UInt8], size: Int64) async throws(LedgerError) -> SegmentLocation? {
        try await base.segment(blake3: blake3, size: size)
    }

    func takeLease(_ request: LeaseRequest) async throws(LedgerError) -> LeaseOutcome {
        try await base.takeLease(request)
    }

    func renewLease(until: Int64) async throws(LedgerError) { try await base.renewLease(until: until) }
    func releaseLease() async throws(LedgerError) { try await base.releaseLease() }

    func clearDeleteCandidates() async throws(LedgerError) { try await base.clearDeleteCandidates() }

    func addDeleteCandidates(_ candidates: [DeleteCandidate]) async throws(LedgerError) {
        try await base.addDeleteCandidates(candidates)
    }

    func deleteCandidates(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [DeleteCandidate] {
        try await base.deleteCandidates(after: key, limit: limit)
    }

    func note(_ name: String) async throws(LedgerError) -> String? { try await base.note(name) }

    func setNote(_ name: String, _ value: String?) async throws(LedgerError) { try await base.setNote(name, value) }

    func count() async throws(LedgerError) -> Int { try await base.count() }

    func close() async throws(LedgerError) { try await base.close() }
}
