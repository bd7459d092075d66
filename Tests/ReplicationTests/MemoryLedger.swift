import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// A ledger in memory: for histories that need hundreds of them.
final class MemoryLedger: Ledger {
    private struct State {
        var rows: [ObjectKey: LedgerRow] = [:]
        var uploads: [UploadSession] = []
        var candidates: [ObjectKey: DeleteCandidate] = [:]
        var notes: [String: String] = [:]
    }

    private let state = Mutex(State())

    func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        state.withLock { state in
            let sorted = state.rows.values.sorted { $0.key < $1.key }
            return Array(sorted.filter { row in key.map { $0 < row.key } ?? true }.prefix(limit))
        }
    }

    func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? { state.withLock { $0.rows[key] } }

    func apply(_ changes: [LedgerChange]) async throws(LedgerError) {
        state.withLock { state in
            for change in changes {
                switch change {
                case .record(let row): state.rows[row.key] = row
                case .forget(let key): state.rows[key] = nil
                case .openUpload(let session): state.uploads.append(session)
                case .closeUpload(let session): state.uploads.removeAll { $0.handle == session.handle }
                }
            }
        }
    }

    func openUploads() async throws(LedgerError) -> [UploadSession] { state.withLock { $0.uploads } }

    func clearDeleteCandidates() async throws(LedgerError) { state.withLock { $0.candidates = [:] } }

    func addDeleteCandidates(_ candidates: [DeleteCandidate]) async throws(LedgerError) {
        state.withLock { state in for candidate in candidates { state.candidates[candidate.key] = candidate } }
    }

    func deleteCandidates(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [DeleteCandidate] {
        state.withLock { state in
            let sorted = state.candidates.values.sorted { $0.key < $1.key }
            return Array(sorted.filter { candidate in key.map { $0 < candidate.key } ?? true }.prefix(limit))
        }
    }

    func note(_ name: String) async throws(LedgerError) -> String? { state.withLock { $0.notes[name] } }

    func setNote(_ name: String, _ value: String?) async throws(LedgerError) {
        state.withLock { $0.notes[name] = value }
    }

    func count() async throws(LedgerError) -> Int { state.withLock { $0.rows.count } }

    func close() async throws(LedgerError) {}
}
