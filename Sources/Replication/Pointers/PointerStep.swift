import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// Brings a set's pointers over, once everything else of the set is at the target.
///
/// The pages of the run's listing were taken at different times: it may show a pointer and miss the objects that were written before it.
/// So the set is listed again from its beginning, on both sides, and a pointer is written only
/// - in a version that was seen *before* that listing began: what it names was there by then, so the listing shows it;
/// - when that listing shows nothing that the ledger does not vouch for, on either side;
/// - read pinned to that version: if it was replaced meanwhile, the set is looked at once more.
struct PointerStep {
    /// Listings of one set at most; a set at rest needs one.
    static let maxLooks = 6

    let context: RunContext
    let pointers: PointerRun
    let planner: SyncPlanner
    let listing: PairListing
    let set: ArtifactSet
    /// Objects in flight, shared with the rest of the run.
    let window: ConcurrencyLimit
    /// What the run's own listing showed.
    private let first: [PendingPointer]
    /// Bytes that the planner has taken from the run's limits for them.
    private let admitted: [ObjectKey: Int64]

    init(
        context: RunContext, pointers: PointerRun, options: ReplicationOptions, listing: PairListing,
        frame: SetStack.Frame, window: ConcurrencyLimit
    ) {
        var options = options
        // What this run has compared by checksum is in the ledger.
        if options.comparison == .checksum { options.comparison = .versions }
        self.context = context
        self.pointers = pointers
        planner = SyncPlanner(options: options, source: context.source, target: context.target)
        self.listing = listing
        set = frame.set
        first = frame.pending
        admitted = Dictionary(
            first.map { ($0.joined.key, $0.joined.source?.size ?? 0) }, uniquingKeysWith: { one, _ in one })
        self.window = window
    }

    /// Throws only what ends the run. Whatever is not written is named, and the sets around this one learn of it.
    func run() async throws {
        try await set.becomesIdle()
        let problem = try await pointers.looking.withPermit { try await settle() }
        set.release(problem)
    }

    /// Returns why the set is not complete, nil when it is.
    private func settle() async throws -> String? {
        var seen = first
        defer { pointers.removePending(seen.count) }
        if let problem = set.problem { return holdBack(seen, "its set is incomplete at the target: \(problem)") }
        for _ in 0..<Self.maxLooks {
            let look = try await lookAgain()
            let isSettled = look.started == 0 && Self.wereSeen(look.pending, in: seen)
            pointers.removePending(seen.count)
            seen = look.pending
            if let problem = look.problem { return holdBack(seen, "its set is incomplete at the target: \(problem)") }
            guard isSettled else { continue }
            switch try await write(seen) {
            case .done:
                if look.hasStray { pointers.holdBack(set.prefix) }
                return nil
            case .heldBack(let problem): return problem
            case .moved: break
            }
        }
        return holdBack(seen, "its set keeps changing at the source")
    }

    private static func wereSeen(_ pending: [PendingPointer], in seen: [PendingPointer]) -> Bool {
        var before: [ObjectKey: ListedObject] = [:]
        for pointer in seen { before[pointer.joined.key] = pointer.joined.source }
        return pending.allSatisfy { pointer in
            guard let now = pointer.joined.source, let then = before[now.key] else { return false }
            return now.version == then.version && now.size == then.size && now.modified == then.modified
        }
    }

    // MARK: Looking

    private struct Look {
        /// The set's pointers that differ from the target's, those of inner sets with them.
        var pending: [PendingPointer] = []
        /// Other objects that had to be worked on.
        var started = 0
        var problem: String?
        /// Whether the target has a pointer that the source has no longer, and that this run does not delete.
        var hasStray = false
    }

    /// Lists the set on both sides and works on everything but its pointers.
    private func lookAgain() async throws -> Look {
        // What the ledger has not been told yet looks as if it had to be done.
        try await context.ledger.flush()
        let results = WorkResults()
        var look = Look()
        try await withThrowingDiscardingTaskGroup { group in
            let filter = context.options.filter
            var join = listing.join(
                below: set.prefix,
                hereUnlistable: { name, _ in
                    guard filter.includes(ObjectKey(name)) else { return }
                    results.note("\(ObjectKey(name)) is not an object")
                },
                thereUnlistable: { _, _ in })
            while !group.isCancelled, let joined = try await join.next() {
                guard context.options.filter.includes(joined.key) else { continue }
                guard joined.source != nil else {
                    if joined.target != nil, pointers.sets.isPointer(joined.key), !pointers.hasVanished(joined.key) {
                        look.hasStray = true
                    }
                    continue
                }
                guard !context.ledger.hasRejected(joined.key) else {
                    results.note("\(joined.key) was not kept by a commit")
                    continue
                }
                var joined = joined
                var decision = planner.decide(joined)
                if decision.isWork {
                    joined = try await context.refreshed(joined)
                    decision = planner.decide(joined)
                }
                if case .skip(let reason) = decision {
                    context.skip(joined.key, reason)
                    results.note("\(joined.key) was skipped")
                } else if decision.isWork, pointers.sets.isPointer(joined.key) {
                    try pointers.addPending()
                    look.pending.append(PendingPointer(joined: joined, decision: decision))
                } else if decision.isWork, results.problem == nil {
                    look.started += 1
                    try await start(
                        PendingPointer(joined: joined, decision: decision), pinned: false, results, in: &group)
                }
            }
            try Task.checkCancellation()
        }
        look.problem = results.problem
        return look
    }

    private func start(
        _ work: PendingPointer, pinned: Bool, _ results: WorkResults,
        in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        if let size = work.decision.transferSize(work.joined), size > admitted[work.joined.key] ?? -1,
            context.budget.admit(size) != nil
        {
            if !pinned { context.progress.addLeft(size) }
            return results.note("a limit of the run was reached")
        }
        try await window.acquire()
        let work = ObjectWork(context: context, decision: work.decision, joined: work.joined, isPinned: pinned)
        let started = group.addTaskUnlessCancelled(executorPreference: context.nextExecutor()) {
            defer { window.release() }
            results.note(try await work.run(), of: work.joined.key)
        }
        if !started { window.release() }
    }

    // MARK: Writing

    private enum Writing {
        case done
        /// The source has another version of a pointer by now.
        case moved
        case heldBack(String)
    }

    /// Switches the pointers, those of one rank side by side, each rank after the one before.
    private func write(_ pending: [PendingPointer]) async throws -> Writing {
        var waves: [ArtifactSets.Rank: [PendingPointer]] = [:]
        for pointer in pending {
            guard let rank = pointers.sets.rank(of: pointer.joined.key) else { continue }
            waves[rank, default: []].append(pointer)
        }
        let ranks = waves.keys.sorted()
        for (index, rank) in ranks.enumerated() {
            let results = WorkResults()
            try await withThrowingDiscardingTaskGroup { group in
                for pointer in waves[rank] ?? [] where !group.isCancelled {
                    try await start(pointer, pinned: true, results, in: &group)
                }
            }
            try Task.checkCancellation()
            if let problem = results.problem {
                let rest = ranks[(index + 1)...].flatMap { waves[$0] ?? [] }
                return .heldBack(holdBack(rest, "a pointer that goes before it could not be written: \(problem)"))
            }
            if results.hasMoved { return .moved }
        }
        return .done
    }

    /// Names the pointers that stay as they are. Returns what the sets around this one are told.
    private func holdBack(_ pending: [PendingPointer], _ reason: String) -> String {
        pointers.holdBack(set.prefix)
        let isLeft = context.budget.reached != nil
        if !isLeft { context.progress.update { $0.heldPointers += pending.count } }
        for pointer in pending {
            // A run that ends early says so by itself; what it did not come to is no exception.
            if isLeft {
                context.progress.addLeft(pointer.joined.source?.size ?? 0)
            } else {
                context.skip(pointer.joined.key, .setIncomplete(reason))
            }
        }
        return set.problem ?? "\(set.name) is incomplete"
    }
}

/// What became of works that ran side by side.
private final class WorkResults: Sendable {
    private struct State {
        var problem: String?
        var hasMoved = false
    }

    private let state = Mutex(State())

    var problem: String? { state.withLock { $0.problem } }
    var hasMoved: Bool { state.withLock { $0.hasMoved } }

    func note(_ problem: String) { state.withLock { $0.problem = $0.problem ?? problem } }

    func note(_ outcome: ObjectWork.Outcome, of key: ObjectKey) {
        switch outcome {
        case .settled: break
        case .moved: state.withLock { $0.hasMoved = true }
        case .undone(let why): note("\(key) \(why)")
        }
    }
}
