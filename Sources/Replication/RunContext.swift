import Buffers
import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// What every transfer of one run shares.
final class RunContext: Sendable {
    let source: any ObjectStore
    let target: any ObjectStore
    let ledger: LedgerWriter
    let pool: BufferPool
    /// Requests that move payload at the same time: parts and small objects.
    let transfers: ConcurrencyLimit
    /// Objects that are cut into parts and under way at the same time: few, so that each finishes soon.
    let largeObjects = ConcurrencyLimit(4)
    /// Large objects that are cut by content; nil when none is to be.
    let delta: DeltaLanes?
    /// What earlier runs left open at the target.
    let openUploads: OpenUploads
    let failures: FailedKeys
    /// The artifact sets of the run; nil where no pointer has to wait.
    let pointers: PointerRun?
    let budget: TransferBudget
    let options: ReplicationOptions
    let time: any Timekeeper
    let observer: any ReplicationObserver
    let progress: RunProgress
    private let executors: [any TaskExecutor]
    private let turn = Atomic(0)

    init(
        source: any ObjectStore, target: any ObjectStore, ledger: LedgerWriter, openUploads: OpenUploads,
        failures: FailedKeys, pool: BufferPool, options: ReplicationOptions,
        time: any Timekeeper, observer: any ReplicationObserver, progress: RunProgress, executors: [any TaskExecutor]
    ) {
        self.executors = executors
        self.source = source
        self.target = target
        self.ledger = ledger
        self.openUploads = openUploads
        self.failures = failures
        self.pool = pool
        self.transfers = ConcurrencyLimit(options.concurrency)
        self.delta = options.delta ? DeltaLanes(pool: pool) : nil
        self.options = options
        pointers = options.dryRun ? nil : options.sets.map { PointerRun($0, waiting: 2 * options.concurrency) }
        budget = TransferBudget(RunLimits(options: options, time: time), time: time, progress: progress)
        self.time = time
        self.observer = observer
        self.progress = progress
    }

    /// The executor for the next object or part, in turn; nil is the global one.
    func nextExecutor() -> (any TaskExecutor)? {
        guard !executors.isEmpty else { return nil }
        return executors[turn.wrappingAdd(1, ordering: .relaxed).newValue % executors.count]
    }

    /// Names a key that is left as it is.
    func skip(_ key: ObjectKey, _ reason: SkipReason) {
        progress.update {
            $0.skippedObjects += 1
            if reason == .conflict { $0.conflicts += 1 }
        }
        observer.handle(.skipped(key, reason))
    }

    /// Notes down what may be deleted once the whole run has proven that it may; a dry run tells of it at once.
    func hold(_ candidates: [DeleteCandidate]) async throws {
        guard !candidates.isEmpty else { return }
        if options.dryRun {
            for candidate in candidates { observer.handle(.wouldDelete(candidate.key, size: candidate.size)) }
        } else {
            try await ledger.hold(candidates)
        }
        progress.update { $0.deleteCandidates += candidates.count }
    }

    /// Whether another process can go on with an upload, so that the ledger has to know of it.
    var keepsUploads: Bool { !ledger.isStaged }

    /// What the ledger says of a key that this run may have written before: rows that wait for a commit are in no page of the ledger, and
    /// the page may be older than the commit.
    func refreshed(_ joined: JoinedKey) async throws -> JoinedKey {
        guard ledger.isStaged else { return joined }
        var joined = joined
        joined.row = try await ledger.row(for: joined.key)
        return joined
    }

    /// The largest object that goes in one read and one write.
    var singleRequestLimit: Int64 {
        min(options.partSize, target.capabilities.maxPutSize, Int64(pool.limit))
    }
}
