import Configuration

/// Which run begins when: takes what happens and the time, and says what is to be done. No I/O, no clock.
///
/// A pair has one run at a time. What is due while the pair is busy with something else waits its turn, once; what is due while the same
/// is under way is skipped. Runs over listings and checks wait in one line for `parallel` places, so that no pair is passed over; runs over
/// keys of events have as many places of their own, because copies of hours would starve them.
package struct SupervisorState: Sendable {
    package enum Event: Sendable {
        /// - Parameter lastStarts: of pairs that are new here.
        case configured([PairPlan], parallel: Int, lastStarts: [String: LastStarts])
        /// - Parameter wasLocked: another process has the pair, so that nothing was done.
        case ended(pair: String, kind: PairWork.Kind, wasLocked: Bool)
        /// Keys of events wait to be copied.
        case eventsWait(pair: String)
        case reconciliationWanted(pair: String)
        case drain
        /// Time passes.
        case tick
    }

    package enum Action: Sendable, Hashable {
        case start(pair: String, kind: PairWork.Kind, trigger: PairWork.Trigger)
        case skipped(pair: String, SkippedRun)
        /// Nothing runs any more, and nothing will.
        case finished
    }

    /// Between two runs over listings that events asked for.
    package static let reconciliationInterval: Int64 = 300
    /// Until a run that found the pair locked is begun again: whoever holds it may have been killed.
    package static let lockedInterval: Int64 = 300
    /// A wall clock that goes back by more than this has been set, and what was due is found anew.
    private static let clockTolerance: Int64 = 60

    private struct Task: Sendable {
        /// When it is due next.
        var due: Int64?
        /// It was due while the window was closed, or while nobody was there.
        var isOwed = false
        /// When it is begun again after it found the pair locked.
        var retry: Int64?
    }

    private struct Pair: Sendable {
        var plan: PairPlan
        var running: PairWork.Kind?
        var sync = Task()
        var check = Task()
        var wantsReconciliation = false
        var lastReconciliation: Int64?
        var isRemoved = false

        subscript(kind: PairWork.Kind) -> Task {
            get {
                switch kind {
                case .sync: sync
                case .check: check
                case .events: Task()
                }
            }
            set {
                switch kind {
                case .sync: sync = newValue
                case .check: check = newValue
                case .events: break
                }
            }
        }
    }

    private struct Waiting: Sendable {
        var pair: String
        var kind: PairWork.Kind
        var trigger: PairWork.Trigger
    }

    private var pairs: [String: Pair] = [:]
    /// Names in the order of the configuration: of what is due at once, the first is first.
    private var order: [String] = []
    private var line: [Waiting] = []
    private var parallel = 1
    private var now: Int64 = 0
    private var isDraining = false
    private var hasFinished = false

    package init() {}

    package mutating func handle(_ event: Event, at moment: Int64) -> [Action] {
        if moment < now - Self.clockTolerance { findDues(after: moment) }
        now = moment
        switch event {
        case .configured(let plans, let parallel, let lastStarts): configure(plans, parallel, lastStarts)
        case .ended(let pair, let kind, let wasLocked): end(pair, kind, wasLocked)
        case .eventsWait(let pair): enqueue(pair, .events, .event)
        case .reconciliationWanted(let pair): pairs[pair]?.wantsReconciliation = true
        case .drain:
            isDraining = true
            line = []
        case .tick: break
        }
        guard !isDraining else { return finish() }
        return takeDue() + admit()
    }

    /// Pairs in the order of the configuration, and after them those that are in it no longer and have a run under way.
    package var names: [String] { order + pairs.values.filter(\.isRemoved).map(\.plan.name).sorted() }

    /// nil for a pair that the configuration has no longer.
    package func plan(of name: String) -> PairPlan? { pairs[name].flatMap { $0.isRemoved ? nil : $0.plan } }

    /// When the next run over listings begins, as far as can be known: one that waits in line may begin at once.
    package func nextRun(of name: String) -> Int64? {
        guard let pair = pairs[name], !pair.isRemoved, !isDraining else { return nil }
        var asked = pair.sync.retry.map { [$0] } ?? []
        if isWaiting(name) || pair.sync.isOwed { asked.append(now) }
        if pair.wantsReconciliation, pair.running != .sync {
            asked.append(pair.lastReconciliation.map { $0 + Self.reconciliationInterval } ?? now)
        }
        let opened = asked.compactMap { pair.plan.windows.nextOpening(from: max($0, now)) }
        return (opened + [pair.plan.nextStart(after: now)].compactMap(\.self)).min()
    }

    /// Whether a run over listings waits for a place, or for another run of the pair to end.
    package func isWaiting(_ name: String) -> Bool { line.contains { $0.pair == name && $0.kind == .sync } }

    // MARK: Configuration

    private mutating func configure(_ plans: [PairPlan], _ parallel: Int, _ lastStarts: [String: LastStarts]) {
        self.parallel = max(1, parallel)
        order = plans.map(\.name)
        for plan in plans {
            if let known = pairs[plan.name] {
                pairs[plan.name]!.plan = plan
                pairs[plan.name]!.isRemoved = false
                for kind in [PairWork.Kind.sync, .check]
                where known.plan.schedule(of: kind) != plan.schedule(of: kind) || known.plan.seed != plan.seed {
                    pairs[plan.name]![kind] = Task(due: plan.schedule(of: kind)?.next(after: now, seed: plan.seed))
                }
            } else {
                let last = lastStarts[plan.name] ?? LastStarts()
                var pair = Pair(plan: plan)
                pair.sync = task(plan.schedule, plan.seed, last.sync, isOwedAnew: true)
                pair.check = task(plan.check, plan.seed, last.check, isOwedAnew: false)
                pair.wantsReconciliation = last.owesReconciliation
                pairs[plan.name] = pair
            }
        }
        let wanted = Set(order)
        for name in pairs.keys where !wanted.contains(name) { pairs[name]!.isRemoved = true }
        pairs = pairs.filter { !$1.isRemoved || $1.running != nil }
        line.removeAll { !wanted.contains($0.pair) }
    }

    /// - Parameter isOwedAnew: whether what has never run is made up for.
    private func task(_ schedule: Schedule?, _ seed: String, _ last: Int64?, isOwedAnew: Bool) -> Task {
        guard let schedule else { return Task() }
        var task = Task(due: schedule.next(after: now, seed: seed))
        if schedule.catchesUp, let previous = schedule.previous(before: now + 1, seed: seed) {
            task.isOwed = last.map { $0 < previous } ?? isOwedAnew
        }
        return task
    }

    private mutating func findDues(after moment: Int64) {
        for (name, pair) in pairs {
            for kind in [PairWork.Kind.sync, .check] {
                pairs[name]![kind].due = pair.plan.schedule(of: kind)?.next(after: moment, seed: pair.plan.seed)
            }
            pairs[name]!.lastReconciliation = nil
        }
    }

    // MARK: Runs

    private mutating func end(_ name: String, _ kind: PairWork.Kind, _ wasLocked: Bool) {
        guard let pair = pairs[name] else { return }
        pairs[name]!.running = nil
        if wasLocked, kind != .events { pairs[name]![kind].retry = now + Self.lockedInterval }
        if pair.isRemoved { pairs[name] = nil }
    }

    private mutating func enqueue(_ pair: String, _ kind: PairWork.Kind, _ trigger: PairWork.Trigger) {
        guard pairs[pair]?.isRemoved == false, !line.contains(where: { $0.pair == pair && $0.kind == kind }) else {
            return
        }
        line.append(Waiting(pair: pair, kind: kind, trigger: trigger))
    }

    private func isUnderWay(_ name: String, _ kind: PairWork.Kind) -> Bool {
        pairs[name]?.running == kind || line.contains { $0.pair == name && $0.kind == kind }
    }

    private mutating func takeDue() -> [Action] {
        var actions: [Action] = []
        for name in order {
            guard let pair = pairs[name] else { continue }
            let isOpen = pair.plan.windows.allowance(at: now) != .closed
            for kind in [PairWork.Kind.sync, .check] {
                guard let schedule = pair.plan.schedule(of: kind) else { continue }
                if let due = pair[kind].due, due <= now {
                    pairs[name]![kind].due = schedule.next(after: now, seed: pair.plan.seed)
                    if !isOpen {
                        actions.append(.skipped(pair: name, .window))
                        pairs[name]![kind].isOwed = schedule.catchesUp
                    } else if isUnderWay(name, kind) {
                        actions.append(.skipped(pair: name, .running))
                    } else {
                        enqueue(name, kind, .schedule)
                    }
                }
                if let retry = pairs[name]![kind].retry, retry <= now { pairs[name]![kind].isOwed = true }
                if isOpen, pairs[name]![kind].isOwed {
                    pairs[name]![kind].isOwed = false
                    pairs[name]![kind].retry = nil
                    if pairs[name]!.running != kind { enqueue(name, kind, .catchUp) }
                }
            }
            let isLater = pair.lastReconciliation.map { now >= $0 + Self.reconciliationInterval } ?? true
            if pair.wantsReconciliation, isOpen, isLater, pair.running != .sync {
                pairs[name]!.wantsReconciliation = false
                enqueue(name, .sync, .reconciliation)
            }
        }
        return actions
    }

    private mutating func admit() -> [Action] {
        var actions: [Action] = []
        var rest: [Waiting] = []
        for waiting in line {
            let running = pairs.values.count {
                $0.running.map { ($0 == .events) == (waiting.kind == .events) } ?? false
            }
            let pair = pairs[waiting.pair]!
            guard pair.running == nil, running < parallel, pair.plan.windows.allowance(at: now) != .closed else {
                rest.append(waiting)
                continue
            }
            pairs[waiting.pair]!.running = waiting.kind
            pairs[waiting.pair]![waiting.kind].retry = nil
            if waiting.kind == .sync { pairs[waiting.pair]!.lastReconciliation = now }
            actions.append(.start(pair: waiting.pair, kind: waiting.kind, trigger: waiting.trigger))
        }
        line = rest
        return actions
    }

    private mutating func finish() -> [Action] {
        guard !hasFinished, pairs.values.allSatisfy({ $0.running == nil }) else { return [] }
        hasFinished = true
        return [.finished]
    }
}
