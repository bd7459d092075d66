import Digests
import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// A ledger in memory: for histories that need hundreds of them.
final class MemoryLedger: Ledger {
    private struct State {
        var rows: [ObjectKey: LedgerRow] = [:]
        var uploads: [UploadRecord] = []
        var parts: [String: [Int: RecordedPart]] = [:]
        var failures: [ObjectKey: FailedKey] = [:]
        var segments: [ObjectKey: [SegmentLocation]] = [:]
        var revision: Int64 = 0
        var epoch: Int64 = 0
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
                case .record(let row):
                    state.rows[row.key] = row
                    state.revision += 1
                case .forget(let key):
                    state.rows[key] = nil
                    state.failures[key] = nil
                    state.segments[key] = nil
                    state.revision += 1
                case .openUpload(let record): state.uploads.append(record)
                case .uploadedPart(let part, let session): state.parts[session.handle, default: [:]][part.number] = part
                case .closeUpload(let session):
                    state.uploads.removeAll { $0.session.handle == session.handle }
                    state.parts[session.handle] = nil
                case .failed(let key, let message, let now):
                    let known = state.failures[key]
                    state.failures[key] = FailedKey(
                        key: key, message: message, attempts: (known?.attempts ?? 0) + 1, since: known?.since ?? now)
                case .recovered(let key): state.failures[key] = nil
                case .segments(let segments, let key, let version):
                    state.segments[key] = segments.map { SegmentLocation(key: key, version: version, segment: $0) }
                }
            }
        }
    }

    func revision() async throws(LedgerError) -> Int64 { state.withLock { $0.revision } }

    func openUploads() async throws(LedgerError) -> [UploadRecord] { state.withLock { $0.uploads } }

    func parts(of session: UploadSession) async throws(LedgerError) -> [RecordedPart] {
        state.withLock { ($0.parts[session.handle] ?? [:]).values.sorted { $0.number < $1.number } }
    }

    func failures(limit: Int) async throws(LedgerError) -> [FailedKey] {
        state.withLock { Array($0.failures.values.sorted { ($0.since, $0.key) < ($1.since, $1.key) }.prefix(limit)) }
    }

    func segment(blake3: [UInt8], size: Int64) async throws(LedgerError) -> SegmentLocation? {
        state.withLock { state in
            state.segments.values.joined().first { location in
                location.segment.blake3 == blake3 && location.segment.digest.length == size
                    && state.rows[location.key].map { $0.targetVersion == location.version && $0.evidence > .none }
                        == true
            }
        }
    }

    /// One process: nobody else ever takes the pair.
    func takeLease(_ request: LeaseRequest) async throws(LedgerError) -> LeaseOutcome {
        state.withLock {
            $0.epoch += 1
            return .taken(epoch: $0.epoch)
        }
    }

    func renewLease(until: Int64) async throws(LedgerError) {}
    func releaseLease() async throws(LedgerError) {}

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
