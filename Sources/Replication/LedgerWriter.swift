import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// Gathers ledger changes into transactions: one per `batch` changes or per `interval`, never one per object.
///
/// A change that is lost in a crash costs a comparison in the next run; a change that is written is true.
///
/// A **staged target** shows what was written to it only after a commit, and only then may the ledger claim it. Changes that say
/// something of an object at the target are held back until the commit that contains the write has returned. Whenever the process
/// dies, the next run finds one of these:
/// - *Before the commit*: target and ledger as they were. What was written is gone, and is copied again.
/// - *During the commit, or after it and before the ledger was told*: the target shows the old objects or the new ones. An object that
///   the ledger has never heard of is compared and adopted; one that is gone is forgotten, or copied. For an object that was replaced
///   the ledger was told just before the commit which bytes were about to come (`announce`): whichever version is there, it is either
///   the one that the row names or has the bytes that it announces, and so is nobody else's.
/// - *After that*: rows that name what the target shows.
///
/// The announcements of a commit are complete because no replacement begins while one is under way: it waits in `announce`. `failed` is
/// true whatever becomes of a commit and is not held back. Uploads end with the process: the ledger hears nothing of them.
///
/// After a transaction or a commit has failed nothing is written any more, and every call throws that failure: nobody knows which of the
/// states above a commit that failed has left, so that the announcements of the next one might belie it.
final class LedgerWriter: Sendable {
    static let batch = 512
    static let interval = Duration.milliseconds(250)
    /// Changes of one transaction after a commit.
    private static let largeBatch = 8192

    /// A target that shows writes by commits, and what a run wants to know of those.
    struct Staging: Sendable {
        let target: any StagedWrites
        /// Held changes at which a checkpoint is due; at twice as many, whoever records one more waits for it.
        let limit: Int
        let time: any Timekeeper
        /// Where commits run; nil is the global executor.
        let executor: (any TaskExecutor)?
        /// Told about every key that a commit did not keep.
        let rejected: @Sendable (ObjectKey, String) -> Void
    }

    private struct State {
        var pending: [LedgerChange] = []
        /// What the first failure was: its changes are lost, so everything after it fails too.
        var failure: (any Error)?
        /// What waits for the next commit.
        var held = HeldChanges()
        /// What the commit that is under way contains, until the ledger has it.
        var committing: HeldChanges?
        /// What commits of this run did not keep.
        var rejected: Set<ObjectKey> = []
        var snapshot: String?
    }

    private let ledger: any Ledger
    private let staging: Staging?
    private let state = Mutex(State())
    /// Serialises transactions, so that changes are applied in the order in which they were recorded.
    private let turn = ConcurrencyLimit(1)
    /// Serialises commits.
    private let commits = ConcurrencyLimit(1)

    init(_ ledger: any Ledger, staging: Staging? = nil) {
        self.ledger = ledger
        self.staging = staging
    }

    /// Whether the target shows writes only by commits.
    var isStaged: Bool { staging != nil }

    /// Durable soon: with its batch, or when the interval has passed; of a staged target after the commit that contains it.
    func record(_ change: LedgerChange) async throws {
        let (count, held, failure) = state.withLock { state in
            if isStaged, change.claimedKey != nil { state.held.hold(change) } else { state.pending.append(change) }
            return (state.pending.count, state.held.count, state.failure)
        }
        if let failure { throw failure }
        if count >= Self.batch { try await flush() }
        if let staging, held >= 2 * staging.limit { try await commit(.checkpoint) }
    }

    /// Durable when it returns. For what is not held back.
    func commit(_ changes: LedgerChange...) async throws {
        state.withLock { $0.pending.append(contentsOf: changes) }
        try await flush()
    }

    /// Which bytes are about to replace an object, written down before anybody can see them there.
    func announce(_ row: LedgerRow) async throws {
        guard isStaged else { return try await commit(.record(row)) }
        while true {
            let isHeld = try state.withLock { state in
                if let failure = state.failure { throw failure }
                guard state.committing == nil else { return false }
                state.held.announce(row)
                return true
            }
            if isHeld { return }
            try await commits.withPermit {}
        }
    }

    /// The row of a key with what this run has recorded of it.
    func row(for key: ObjectKey) async throws -> LedgerRow? {
        // What is not held any more is in the ledger.
        let held = state.withLock { $0.held.row(for: key) ?? $0.committing?.row(for: key) }
        if let held { return held }
        return try await ledger.row(for: key)
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
        try await transact { state in
            defer { state.pending.removeAll(keepingCapacity: true) }
            return state.pending
        }
    }

    private func transact(_ take: @Sendable (inout State) -> [LedgerChange]) async throws {
        try await turn.withPermit {
            let (changes, failure) = state.withLock { state in (take(&state), state.failure) }
            if let failure { throw failure }
            guard !changes.isEmpty else { return }
            do throws(LedgerError) {
                try await ledger.apply(changes)
            } catch {
                state.withLock { $0.failure = $0.failure ?? error }
                throw error
            }
        }
    }

    // MARK: Commits

    /// What people call the state that was committed last; nil when nothing was.
    var snapshot: String? { state.withLock { $0.snapshot } }

    /// Whether a commit of this run did not keep the key: it is left to the next run.
    func hasRejected(_ key: ObjectKey) -> Bool { isStaged && state.withLock { $0.rejected.contains(key) } }

    /// Whether a checkpoint is due.
    var wantsCheckpoint: Bool {
        guard let staging else { return false }
        return staging.target.wantsCheckpoint || state.withLock { $0.held.count } > staging.limit
    }

    /// Shows others what was recorded before the call, and tells the ledger; what is recorded meanwhile belongs to the next commit.
    ///
    /// In a task of its own: who is cancelled does not wait for less.
    func commit(_ kind: CommitKind) async throws {
        guard let staging else { return }
        try await Task(executorPreference: staging.executor) {
            try await self.commits.withPermit { try await self.publish(kind, staging) }
        }.value
    }

    private func publish(_ kind: CommitKind, _ staging: Staging) async throws {
        // Several may have asked for the same one.
        guard kind != .checkpoint || wantsCheckpoint else { return }
        let content = state.withLock { state in
            let content = state.held
            state.held = HeldChanges()
            state.committing = content
            return content
        }
        defer { state.withLock { $0.committing = nil } }
        try await flush()
        try await apply(content.announced.keys.sorted().map { .record(content.announced[$0]!) })
        let outcome: CommitOutcome
        do throws(StoreError) {
            outcome = try await staging.target.commit(kind)
        } catch {
            let failure = TransferFailure(uncommitted: error)
            state.withLock { $0.failure = $0.failure ?? failure }
            throw failure
        }
        let rejected = state.withLock { state in
            state.rejected.formUnion(outcome.rejected.keys)
            state.snapshot = outcome.snapshot ?? state.snapshot
            return state.rejected
        }
        var changes = try await settled(content, without: rejected)
        let now = staging.time.nowSeconds()
        for (key, reason) in outcome.rejected.sorted(by: { $0.key < $1.key }) {
            staging.rejected(key, reason)
            changes.append(.failed(key, message: reason, at: now))
        }
        try await apply(changes)
    }

    /// What the ledger learns after a commit. Of a key that a commit has rejected, nothing: whatever was recorded since may still be about
    /// the write that is gone. If the ledger has never heard of the key it learns of it by a row that vouches for nothing, which keeps the
    /// next run from taking what somebody else has put there for an object that was always there.
    private func settled(_ content: HeldChanges, without rejected: Set<ObjectKey>) async throws -> [LedgerChange] {
        guard !rejected.isEmpty else { return content.changes }
        var settled: [LedgerChange] = []
        for change in content.changes {
            guard let key = change.claimedKey, rejected.contains(key) else {
                settled.append(change)
                continue
            }
            guard case .record(var row) = change, try await ledger.row(for: key) == nil else { continue }
            row.targetVersion = VersionToken("")
            row.evidence = .none
            settled.append(.record(row))
        }
        return settled
    }

    private func apply(_ changes: [LedgerChange]) async throws {
        var rest = changes[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.largeBatch))
            rest = rest.dropFirst(batch.count)
            try await transact { _ in batch }
        }
    }
}

extension TransferFailure {
    /// What was written since the last commit is lost.
    init(uncommitted error: StoreError) {
        self.init(.target, error)
        message = "what was written since the last checkpoint could not be committed: " + message
        stopsRun = true
    }
}
