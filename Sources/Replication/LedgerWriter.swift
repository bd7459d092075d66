import Manifests
import ObjectStores
import Synchronization

/// Gathers ledger changes into transactions: one per `batch` changes or per `interval`, never one per object.
///
/// A change that is lost in a crash costs a comparison in the next run; a change that is written is true.
final class LedgerWriter: Sendable {
    static let batch = 512
    static let interval = Duration.milliseconds(250)

    private let ledger: any Ledger
    private struct State {
        var pending: [LedgerChange] = []
        /// The first transaction that failed: its changes are lost, so everything after it fails too.
        var failure: LedgerError?
    }

    private let state = Mutex(State())
    /// Serialises transactions, so that changes are applied in the order in which they were recorded.
    private let turn = ConcurrencyLimit(1)

    init(_ ledger: any Ledger) {
        self.ledger = ledger
    }

    /// Durable soon: with its batch, or when the interval has passed.
    func record(_ change: LedgerChange) async throws {
        let (count, failure) = state.withLock { state in
            state.pending.append(change)
            return (state.pending.count, state.failure)
        }
        if let failure { throw failure }
        if count >= Self.batch { try await flush() }
    }

    /// Durable when it returns.
    func commit(_ changes: LedgerChange...) async throws {
        state.withLock { $0.pending.append(contentsOf: changes) }
        try await flush()
    }

    func parts(of session: UploadSession) async throws -> [RecordedPart] {
        try await ledger.parts(of: session)
    }

    func segment(blake3: [UInt8], size: Int64) async throws -> SegmentLocation? {
        try await ledger.segment(blake3: blake3, size: size)
    }

    /// Durable when it returns, in a transaction of their own.
    func hold(_ candidates: [DeleteCandidate]) async throws {
        try await ledger.addDeleteCandidates(candidates)
    }

    func flush() async throws {
        try await turn.withPermit {
            let (changes, failure) = state.withLock { state in
                let changes = state.pending
                state.pending.removeAll(keepingCapacity: true)
                return (changes, state.failure)
            }
            if let failure { throw failure }
            guard !changes.isEmpty else { return }
            do throws(LedgerError) {
                try await ledger.apply(changes)
            } catch {
                state.withLock { $0.failure = error }
                throw error
            }
        }
    }
}
