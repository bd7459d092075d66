package import Buffers
package import Manifests
package import ObjectStores
import ReplicationModel

/// Makes a target identical to a source: one run over one pair.
///
/// Both listings and the ledger are joined by key while transfers are already under way; deletions come last, when everything else
/// has succeeded. `source` and `target` are expected to be wrapped in the decorators that retry, throttle and meter.
package struct Replicator: Sendable {
    private let source: any ObjectStore
    private let target: any ObjectStore
    private let ledger: any Ledger
    private let options: ReplicationOptions
    private let pool: BufferPool
    private let time: any Timekeeper
    private let observer: any ReplicationObserver
    private let nonce: String
    private let staged: (any StagedWrites)?
    private let executors: [any TaskExecutor]
    private let background: (any TaskExecutor)?

    /// Keys after which the planner tells what it has counted, and looks at the clock.
    private static let tallied = 1024

    /// Readable while the run goes.
    package let progress: RunProgress

    /// - Parameters:
    ///   - staged: the target's commits, where it shows writes only by them: `target` itself below its decorators.
    ///   - nonce: unguessable text of this run, for names that it makes at the target.
    ///   - executors: where objects and parts are worked on, in turn; those of the transport save a wake-up per reply.
    ///   - background: where listings are fetched and the ledger is flushed; nil is the global executor.
    package init(
        source: any ObjectStore, target: any ObjectStore, ledger: any Ledger, options: ReplicationOptions,
        pool: BufferPool,
        time: any Timekeeper, nonce: String, observer: any ReplicationObserver, staged: (any StagedWrites)? = nil,
        executors: [any TaskExecutor] = [], background: (any TaskExecutor)? = nil
    ) {
        self.staged = staged
        self.executors = executors
        self.background = background
        self.source = source
        self.target = target
        self.ledger = ledger
        self.options = options
        self.pool = pool
        self.time = time
        self.nonce = nonce
        self.observer = observer
        self.progress = RunProgress()
    }

    /// Never throws: what went wrong with the run as a whole is in the summary, what went wrong with an object went to the observer.
    /// Cancelling the task ends the run soon; the ledger then holds everything that was finished, and a target with commits shows it.
    package func run() async -> RunSummary {
        let writer = LedgerWriter(ledger, staging: staging)
        var stop: RunStop?
        var failure: TransferFailure?
        do {
            // The planner waits for its workers at every object: beside them it is woken for free.
            stop = try await withTaskExecutorPreference(executors.first) { try await replicate(writer) }
        } catch {
            failure = TransferFailure(error)
        }
        do {
            try await end(writer, stop, failure)
        } catch {
            failure = failure ?? TransferFailure(error)
        }
        if Task.isCancelled, failure == nil || failure?.code == .cancelled {
            failure = nil
            stop = .interrupted
        }
        return RunSummary(
            counts: progress.counts, stop: stop, failure: failure, isListed: progress.isListed, peakBuffers: pool.peak,
            snapshot: writer.snapshot)
    }

    /// What was finished is recorded however the run ends, and a target with commits shows it: in tasks that nobody cancels.
    private func end(_ writer: LedgerWriter, _ stop: RunStop?, _ failure: TransferFailure?) async throws {
        try await Task(executorPreference: background) { try await writer.flush() }.value
        // Without a ledger that can be told what is about to come, nothing may come.
        guard failure?.side != .ledger else { return }
        let isComplete = stop == nil && failure == nil && !Task.isCancelled
        let counts = progress.counts
        try await writer.commit(
            isComplete ? .complete(failures: counts.failedObjects + counts.skippedObjects) : .cutShort)
    }

    /// A dry run writes nothing, and commits nothing.
    private var staging: LedgerWriter.Staging? {
        guard let staged, !options.dryRun else { return nil }
        let (progress, observer) = (progress, observer)
        return LedgerWriter.Staging(target: staged, limit: options.maxHeldChanges, time: time, executor: background) {
            key, reason in
            progress.update {
                $0.failedObjects += 1
                $0.rejectedObjects += 1
            }
            observer.handle(.failed(key, TransferFailure(.target, .conflict, reason)))
        }
    }

    private func replicate(_ writer: LedgerWriter) async throws -> RunStop? {
        if !options.dryRun { try await ledger.clearDeleteCandidates() }
        let context = RunContext(
            source: source, target: try await writableTarget(), ledger: writer,
            openUploads: OpenUploads(options.dryRun || writer.isStaged ? [] : try await ledger.openUploads()),
            failures: FailedKeys(try await earlierFailures()), pool: pool, options: options, time: time,
            observer: observer, progress: progress, executors: executors)
        let stop = try await copyAll(context)
        try await writer.flush()
        guard stop == nil else { return stop }
        if !options.dryRun { try await abortLeftovers(context) }
        try await deleteAll(context)
        if !options.dryRun, staged == nil, progress.counts.plannedObjects > 0 { try await reportOrphans() }
        return nil
    }

    /// Unfinished uploads at the target that no ledger row owns, one page of them: to be named, and left to `lockstep sweep`.
    private func reportOrphans() async throws {
        let owned = Set(try await ledger.openUploads().map(\.session.key))
        let page: OpenUploadsPage
        do throws(StoreError) {
            page = try await target.openUploads(ListRequest(limit: 1000))
        } catch {
            // Nothing depends on it: whoever may write need not be allowed to list uploads.
            return
        }
        let limit = time.now() - Int64(86_400_000_000_000)
        let orphans = page.uploads.filter {
            $0.initiated > 0 && $0.initiated < limit && !owned.contains($0.session.key)
        }
        guard let first = orphans.first else { return }
        let count = "\(orphans.count)\(page.next == nil ? "" : " or more")"
        observer.handle(
            .notice(
                "\(target.name) holds \(count) unfinished \(count == "1" ? "upload" : "uploads") that this ledger does not know, "
                    + "e.g. of \(first.session.key); lockstep sweep discards them"))
    }

    private func earlierFailures() async throws -> [FailedKey] {
        // Keys that are named are few, and have their turn at once.
        guard options.keys == nil else { return [] }
        return try await ledger.failures(limit: FailedKeys.limit).filter { options.filter.includes($0.key) }
    }

    /// Uploads of earlier runs that this one had no use for hold parts that nobody will ever see.
    private func abortLeftovers(_ context: RunContext) async throws {
        let keys = options.keys.map { Set($0) }
        let rest = context.openUploads.takeRest { record in
            let key = record.session.key
            return (ReservedKeys.contains(key) || options.filter.includes(key)) && keys.map { $0.contains(key) } ?? true
        }
        for record in rest { try await context.discard(record) }
    }

    /// The target, behind a decorator that looks before it writes if it ignores the conditions of writes.
    private func writableTarget() async throws -> any ObjectStore {
        guard !options.dryRun else { return target }
        let enforced: Bool =
            switch target.capabilities.conditionalWrites {
            case .enforced: true
            case .ignored: false
            case .unproven:
                try await ConditionProbe(target: target, ledger: ledger, nonce: nonce, time: time)
                    .conditionsAreEnforced()
            }
        guard !enforced else { return target }
        observer.handle(
            .notice(
                "\(target.name) ignores the conditions of writes: each write is preceded and followed by a look at the object, "
                    + "which cannot exclude that another writer slips in between"))
        return ConditionCheckingStore(target)
    }

    // MARK: Copying

    private func copyAll(_ context: RunContext) async throws -> RunStop? {
        let window = ConcurrencyLimit(2 * options.concurrency)
        let flusher = Task(executorPreference: background) {
            while !Task.isCancelled {
                try await time.sleep(for: LedgerWriter.interval)
                try await context.ledger.flush()
                if context.ledger.wantsCheckpoint { try await context.ledger.commit(.checkpoint) }
            }
        }
        defer { flusher.cancel() }
        if !context.failures.earlier.isEmpty, let stop = try await copyEarlierFailures(context, window) { return stop }
        let stop = try await withThrowingDiscardingTaskGroup { group in
            try await planAndStart(context, window: window, in: &group)
        }
        return stop ?? context.budget.reached
    }

    /// Tries first what failed in earlier runs: these objects have waited longest.
    private func copyEarlierFailures(_ context: RunContext, _ window: ConcurrencyLimit) async throws -> RunStop? {
        let planner = planner
        // Pointers wait for their sets, however often they have failed.
        let keys = context.failures.earlier.filter { context.pointers?.sets.isPointer($0) != true }.sorted()
        let stop: RunStop? = try await withThrowingDiscardingTaskGroup { group in
            var join = makeJoin(of: keys) { _ in }
            while !group.isCancelled, let joined = try await join.next() {
                let decision = planner.decide(joined)
                guard decision.isWork else { continue }
                if let size = decision.transferSize(joined), let stop = context.budget.admit(size) { return stop }
                try await start(decision, joined, of: nil, context, window: window, in: &group)
            }
            try Task.checkCancellation()
            return nil
        }
        guard stop == nil, !options.dryRun else { return stop }
        for key in keys where !context.failures.hasFailedAgain(key) { try await context.ledger.record(.recovered(key)) }
        try await context.ledger.flush()
        return nil
    }

    private var planner: SyncPlanner {
        SyncPlanner(options: options, source: source, target: target)
    }

    private func planAndStart(
        _ context: RunContext, window: ConcurrencyLimit, in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws -> RunStop? {
        let planner = planner
        var join = makeJoin()
        var sets = context.pointers.map { SetStack($0.sets) }
        var tally = RunCounts()
        var stop: RunStop?
        var candidates: [DeleteCandidate] = []
        defer { progress.update { $0.addListed(tally) } }
        // The group is cancelled by the first failure that ends the run; it throws that failure when this returns.
        while !group.isCancelled, var joined = try await join.next() {
            if tally.sourceObjects + tally.targetObjects + tally.filteredObjects >= Self.tallied {
                progress.update { $0.addListed(tally) }
                tally = RunCounts()
                try Task.checkCancellation()
                if let stop = context.budget.checkTime() { return stop }
            }
            guard options.filter.includes(joined.key) else {
                if !ReservedKeys.contains(joined.key) { tally.filteredObjects += 1 }
                continue
            }
            if let object = joined.source {
                tally.sourceObjects += 1
                tally.sourceBytes.addSize(object.size)
            }
            if joined.target != nil {
                tally.targetObjects += 1
                if joined.source == nil, let reason = options.refusal?(joined.key) {
                    throw TransferFailure(.target, .refused, reason)
                }
            }
            if let left = sets?.enter(joined.key) { try await leave(left, context, window: window, in: &group) }
            if context.failures.hasFailedAgain(joined.key) || context.ledger.hasRejected(joined.key) {
                sets?.current.fail("\(joined.key) was tried in vain")
                continue
            }
            if context.failures.earlier.contains(joined.key) { joined = try await context.refreshed(joined) }
            let decision = planner.decide(joined)
            if decision == .unchanged {
                sets?.take(joined, decision)
                tally.unchangedObjects += 1
                tally.unchangedBytes.addSize(joined.source!.size)
            } else {
                if let size = decision.transferSize(joined), let refused = context.budget.admit(size) {
                    progress.addLeft(size)
                    // What a limit of bytes leaves for the next run is counted to the end; that costs listings only.
                    guard refused == .maxTransfer else { return refused }
                    stop = refused
                    sets?.current.fail("a limit of the run was reached")
                    continue
                }
                if sets?.take(joined, decision) == true {
                    try context.pointers?.addPending()
                    continue
                }
                if decision == .deleteCandidate, let object = joined.target {
                    let candidate = DeleteCandidate(
                        key: object.key, targetVersion: object.version, size: object.size)
                    try context.pointers?.noteVanished(candidate)
                    candidates.append(candidate)
                    if candidates.count >= DeletePhase.page {
                        try await context.hold(candidates)
                        candidates.removeAll(keepingCapacity: true)
                    }
                }
                try await start(decision, joined, of: sets?.current, context, window: window, in: &group)
            }
        }
        try Task.checkCancellation()
        if let left = sets?.leaveAll() { try await leave(left, context, window: window, in: &group) }
        progress.markListed()
        guard stop == nil else { return stop }
        try await context.hold(candidates)
        return nil
    }

    private func makeJoin() -> MergeJoin {
        let observer = observer
        let progress = progress
        if let keys = options.keys {
            return makeJoin(of: keys.filter(options.filter.includes)) { key in
                progress.update { $0.skippedObjects += 1 }
                observer.handle(.skipped(key, .missing))
            }
        }
        let filter = options.filter
        return listing.join { name, reason in
            guard filter.includes(ObjectKey(name)) else { return }
            progress.update { $0.skippedObjects += 1 }
            observer.handle(.skipped(ObjectKey(name), .unlistable(reason)))
        } thereUnlistable: { name, reason in
            observer.handle(.notice("at the target, \(ObjectKey(name)) is left as it is: \(reason)"))
        }
    }

    /// Just these keys, looked up one by one.
    private func makeJoin(of keys: [ObjectKey], missing: @escaping @Sendable (ObjectKey) -> Void) -> MergeJoin {
        let ledger = ledger
        let sorted = Set(keys).sorted()
        var here = KeyLookup(source, side: .source, sortedKeys: sorted, missing: missing)
        var there = KeyLookup(target, side: .target, sortedKeys: sorted)
        var ends = false
        return MergeJoin(
            source: { try await here.nextPage() }, target: { try await there.nextPage() },
            rows: {
                guard !ends else { return nil }
                ends = true
                return try await Self.rows(for: sorted, in: ledger)
            })
    }

    private var listing: PairListing {
        PairListing(source: source, target: target, ledger: ledger, executor: background)
    }

    private static func rows(for keys: [ObjectKey], in ledger: any Ledger) async throws -> [LedgerRow]? {
        var found: [LedgerRow] = []
        for key in keys { if let row = try await ledger.row(for: key) { found.append(row) } }
        return found.isEmpty ? nil : found
    }

    private func start(
        _ decision: SyncDecision, _ joined: JoinedKey, of set: ArtifactSet?, _ context: RunContext,
        window: ConcurrencyLimit, in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        switch decision {
        case .unchanged, .deleteCandidate: break
        case .ignore: progress.update { $0.extraneousObjects += 1 }
        case .forget: if !options.dryRun { try await context.ledger.record(.forget(joined.key)) }
        case .skip(let reason):
            context.skip(joined.key, reason)
            set?.fail("\(joined.key) was skipped")
        case .keepForeign: context.skip(joined.key, .conflict)
        case .copy, .compare, .settleConflict, .settleDeletion:
            try await window.acquire()
            set?.begin()
            let work = ObjectWork(context: context, decision: decision, joined: joined)
            let started = group.addTaskUnlessCancelled(executorPreference: context.nextExecutor()) {
                defer { window.release() }
                let outcome = try await work.run()
                if case .undone(let why) = outcome { set?.fail("\(work.joined.key) \(why)") }
                set?.end()
            }
            if !started { window.release() }
        }
    }

    /// The listings have passed the end of sets, which now get their pointers as soon as their last object is done.
    private func leave(
        _ sets: [SetStack.Frame], _ context: RunContext, window: ConcurrencyLimit,
        in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        for frame in sets {
            guard let pointers = context.pointers, frame.needsStep else {
                frame.set.end()
                continue
            }
            // Sets within have their permits already, so this one never keeps them from ending.
            try await pointers.waiting.acquire()
            frame.set.keepShare()
            frame.set.end()
            let step = PointerStep(
                context: context, pointers: pointers, options: options, listing: listing, frame: frame,
                window: window)
            let started = group.addTaskUnlessCancelled {
                defer { pointers.waiting.release() }
                try await step.run()
            }
            if !started { pointers.waiting.release() }
        }
    }

    // MARK: Deleting

    private func deleteAll(_ context: RunContext) async throws {
        guard case .on(let limit, let backupPrefix) = options.deletion else { return }
        let counts = progress.counts
        guard counts.deleteCandidates > 0 else { return }
        // Older states of a target with commits hold what is deleted.
        let phase = DeletePhase(
            context: context, ledger: ledger, limit: limit, backupPrefix: staged == nil ? backupPrefix : nil)
        try phase.guardLimits()
        guard counts.failedObjects == 0 else {
            observer.handle(
                .notice(
                    "\(counted(counts.deleteCandidates, "deletion")) \(counts.deleteCandidates == 1 ? "is" : "are") held back because "
                        + "\(counted(counts.failedObjects, "object")) failed; the next run without failures deletes"))
            return
        }
        if !options.dryRun { try await phase.run() }
    }
}

extension SyncDecision {
    /// Bytes that the decision may move; nil when it moves none.
    func transferSize(_ joined: borrowing JoinedKey) -> Int64? {
        switch self {
        case .copy, .compare, .settleConflict: joined.source?.size
        default: nil
        }
    }
}

extension RunCounts {
    /// Adds what the planner has counted since the last time.
    mutating func addListed(_ tally: RunCounts) {
        sourceObjects += tally.sourceObjects
        sourceBytes.addSize(tally.sourceBytes)
        targetObjects += tally.targetObjects
        unchangedObjects += tally.unchangedObjects
        unchangedBytes.addSize(tally.unchangedBytes)
        filteredObjects += tally.filteredObjects
    }
}
