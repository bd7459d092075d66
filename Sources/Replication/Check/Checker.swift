package import Buffers
package import Manifests
package import ObjectStores
import ReplicationModel

/// Compares two locations and says for each key whether both hold the same, with what evidence.
///
/// It reads only: nothing is written to a store or to the ledger, nothing is locked, and nothing is repaired. Both listings and the
/// ledger are joined by key; what they do not settle is asked of the stores. A run that writes meanwhile is no hindrance: a difference
/// counts only when a look at both sides confirms it. `source` and `target` are expected behind the decorators that retry and meter.
package struct Checker: Sendable {
    private let source: (any ObjectStore)?
    private let target: any ObjectStore
    private let ledger: (any LedgerReader)?
    private let options: CheckOptions
    private let pool: BufferPool
    private let executors: [any TaskExecutor]
    private let queue: FindingQueue

    /// The level that each key needs.
    package let evidence: EvidenceLevel

    /// - Parameters:
    ///   - source: nil when the rows of a published manifest stand for it.
    ///   - ledger: rows of earlier runs, or of the manifest; nil where there is none.
    package init(
        source: (any ObjectStore)?, target: any ObjectStore, ledger: (any LedgerReader)?, options: CheckOptions,
        pool: BufferPool, observer: any CheckObserver, executors: [any TaskExecutor] = []
    ) {
        precondition(source != nil || ledger != nil, "a target alone has nothing to be compared with")
        self.source = source
        self.target = target
        self.ledger = ledger
        self.options = options
        self.pool = pool
        self.executors = executors
        evidence = options.evidence ?? (ledger == nil ? .reported : .recorded)
        queue = FindingQueue(CheckTally(options: options), observer: observer)
    }

    /// Readable while the check goes.
    package var counts: CheckCounts { queue.tally.counts }

    /// Never throws: what kept the check from finishing is in the summary, with what was seen so far.
    package func run() async -> CheckSummary {
        var failure: TransferFailure?
        do {
            try await withTaskExecutorPreference(executors.first) { try await check() }
        } catch {
            failure = TransferFailure(error)
        }
        if Task.isCancelled { failure = TransferFailure(.engine, .cancelled, "interrupted") }
        let tally = queue.tally
        return CheckSummary(
            evidence: evidence, counts: tally.counts, recovery: tally.recovery, sets: tally.sets,
            sample: tally.sample, failure: failure, peakBuffers: pool.peak)
    }

    private func check() async throws {
        let planner = CheckPlanner(
            options: options, evidence: evidence,
            sourceVersionCoversAttributes: source?.capabilities.versionCoversAttributes ?? true,
            targetVersionCoversAttributes: target.capabilities.versionCoversAttributes)
        let context = CheckContext(
            source: source, target: target, ledger: ledger, planner: planner, pool: pool,
            requests: ConcurrencyLimit(options.concurrency))
        let window = ConcurrencyLimit(2 * options.concurrency)
        var keys = makeKeys()
        var seen = 0
        try await withThrowingDiscardingTaskGroup { group in
            while !group.isCancelled, let joined = try await keys.next() {
                seen += 1
                if seen % 1024 == 0 { try Task.checkCancellation() }
                guard options.filter.includes(joined.key) else {
                    if !ReservedKeys.contains(joined.key) { queue.addFiltered() }
                    continue
                }
                switch planner.decide(joined) {
                case .settled(let verdict):
                    try await queue.add(
                        CheckFinding(
                            key: joined.key, verdict: verdict, source: joined.source, target: joined.target,
                            detail: "", isSampled: planner.isSampled(joined.key)))
                case .look:
                    try await window.acquire()
                    let ticket = try await queue.open()
                    let executor = executors.isEmpty ? nil : executors[seen % executors.count]
                    group.addTask(executorPreference: executor) {
                        defer { window.release() }
                        // Settled however it ends: the planner waits behind the oldest look that is open.
                        var finding = CheckFinding(
                            key: joined.key, verdict: .unproven(.unreadable), source: joined.source,
                            target: joined.target, detail: "the check ended before it was looked at")
                        defer { queue.settle(ticket, finding) }
                        finding = try await KeyCheck(context: context, joined: joined).run()
                        finding.isSampled = planner.isSampled(finding.key)
                    }
                }
            }
        }
    }

    // MARK: Joining

    private func makeKeys() -> CheckedKeys {
        if let keys = options.keys { return .named(Set(keys).sorted(), 0) }
        var after: ObjectKey?
        var ledgerEnded = ledger == nil
        let rows: () async throws -> [LedgerRow]? = {
            guard !ledgerEnded, let ledger else { return nil }
            let page = try await ledger.rows(after: after, limit: 1000)
            ledgerEnded = page.count < 1000
            after = page.last?.key ?? after
            return page.isEmpty ? nil : page
        }
        let there = listing(of: target, .target)
        guard let source else {
            return .joined(
                MergeJoin(source: { nil }, target: { try await there.nextPage() }, rows: rows), rowsAreSource: true)
        }
        let here = listing(of: source, .source)
        return .joined(
            MergeJoin(source: { try await here.nextPage() }, target: { try await there.nextPage() }, rows: rows),
            rowsAreSource: false)
    }

    private func listing(of store: any ObjectStore, _ side: TransferFailure.Side) -> ListingStream {
        let queue = queue
        let options = options
        return ListingStream(store, side: side) { name, reason in
            let key = ObjectKey(name)
            guard options.filter.includes(key), side == .source || !options.isOneWay else { return }
            queue.addAside(
                CheckFinding(
                    key: key, verdict: .unproven(.unlistable), source: nil, target: nil,
                    detail: "at the \(side.rawValue) it is not an object: \(reason)"))
        }
    }
}

/// Where the keys of a check come from.
private enum CheckedKeys: ~Copyable {
    /// Listings and rows; the rows may stand for the source.
    case joined(MergeJoin, rowsAreSource: Bool)
    /// Exactly these, sorted; the stores are asked for each.
    case named([ObjectKey], Int)

    mutating func next() async throws -> JoinedKey? {
        switch consume self {
        case .named(let keys, let index):
            self = .named(keys, index + 1)
            return index < keys.count ? JoinedKey(key: keys[index]) : nil
        case .joined(var join, let rowsAreSource):
            var joined: JoinedKey?
            do {
                joined = try await join.next()
                self = .joined(join, rowsAreSource: rowsAreSource)
            } catch {
                self = .joined(join, rowsAreSource: rowsAreSource)
                throw error
            }
            if rowsAreSource, let row = joined?.row {
                joined?.source = ListedObject(
                    key: row.key, size: row.size, version: row.sourceVersion, modified: row.sourceModified)
            }
            return joined
        }
    }
}
