import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// Adds findings up, in key order.
struct CheckTally {
    private(set) var counts = CheckCounts()
    private(set) var recovery = RecoveryPoint()
    private(set) var sample: SampleResult?
    private var closedSets = CheckedSets()
    private var openSet: CheckedSet?
    private let rule: CheckedSetRule?
    private let isOneWay: Bool

    init(options: CheckOptions) {
        rule = options.sets
        isOneWay = options.isOneWay
        sample = options.sample.map { SampleResult(seed: $0.seed) }
    }

    var sets: CheckedSets? {
        guard rule != nil else { return nil }
        var sets = closedSets
        if let openSet { sets.close(openSet) }
        return sets
    }

    mutating func addFiltered() { counts.filtered += 1 }

    /// Returns whether the finding is to be told.
    mutating func add(_ finding: CheckFinding) -> Bool {
        if finding.isHidden { counts.hidden += 1 }
        if let source = finding.source { counts.source.add(source.size) }
        if let target = finding.target { counts.target.add(target.size) }
        switch finding.verdict {
        case .same(let level): counts.same[level, default: ObjectTally()].add(finding.size)
        case .differs(let difference): counts.differs[difference, default: ObjectTally()].add(finding.size)
        case .onlyInSource: counts.onlyInSource.add(finding.size)
        case .unproven(let doubt): counts.unproven[doubt, default: ObjectTally()].add(finding.size)
        case .onlyInTarget:
            guard !isOneWay else {
                counts.ignoredInTarget += 1
                return false
            }
            counts.onlyInTarget.add(finding.size)
        case .gone:
            counts.gone += 1
            return false
        }
        addToRecovery(finding)
        addToSample(finding)
        addToSets(finding)
        return true
    }

    /// What a sample leaves out is not known to wait.
    private mutating func addToRecovery(_ finding: CheckFinding) {
        switch finding.verdict {
        case .same, .unproven(.unsampled): break
        default: recovery.add(finding)
        }
    }

    private mutating func addToSample(_ finding: CheckFinding) {
        guard sample != nil, finding.source != nil, finding.target != nil else { return }
        sample?.population += 1
        guard finding.isSampled else { return }
        switch finding.verdict {
        case .same: sample?.checked += 1
        case .differs:
            sample?.checked += 1
            sample?.differing += 1
        default: break
        }
    }

    /// A name that is no object belongs to no set: it comes out of order, and no run copies it.
    private mutating func addToSets(_ finding: CheckFinding) {
        guard finding.verdict != .unproven(.unlistable), let name = rule?.set(of: finding.key) else { return }
        var set = CheckedSet(name: name)
        if let openSet {
            if openSet.name == name { set = openSet } else { closedSets.close(openSet) }
        }
        set.objects.add(finding.size)
        if case .same = finding.verdict {} else { set.problems += 1 }
        set.newest = max(set.newest, finding.source?.modified ?? 0)
        openSet = set
    }
}

/// Puts findings back into key order: looks end in any order, and reports, sets and samples want them sorted.
///
/// Holds at most `limit` findings behind the oldest look that is still under way.
final class FindingQueue: Sendable {
    static let limit = 4096

    private struct State {
        var tally: CheckTally
        /// From `first` on; nil is still under way.
        var slots: [CheckFinding?] = []
        /// Slots before it were told already.
        var told = 0
        var firstTicket = 0
    }

    private let state: Mutex<State>
    private let room = ConcurrencyLimit(FindingQueue.limit)
    private let observer: any CheckObserver

    init(_ tally: CheckTally, observer: any CheckObserver) {
        state = Mutex(State(tally: tally))
        self.observer = observer
    }

    var tally: CheckTally { state.withLock { $0.tally } }

    func addFiltered() { state.withLock { $0.tally.addFiltered() } }

    /// A finding that needed no look. Called by one task, in key order, as `open` is.
    func add(_ finding: CheckFinding) async throws {
        let isTold = state.withLock { state in
            guard state.told == state.slots.count else { return false }
            tell(finding, &state)
            return true
        }
        guard !isTold else { return }
        try await room.acquire()
        state.withLock { $0.slots.append(finding) }
        drain()
    }

    /// A finding that came up beside the order of keys.
    func addAside(_ finding: CheckFinding) {
        state.withLock { tell(finding, &$0) }
    }

    /// A place for the finding of a look; every place must be settled.
    func open() async throws -> Int {
        try await room.acquire()
        return state.withLock { state in
            state.slots.append(nil)
            return state.firstTicket + state.slots.count - 1
        }
    }

    func settle(_ ticket: Int, _ finding: CheckFinding) {
        state.withLock { $0.slots[ticket - $0.firstTicket] = finding }
        drain()
    }

    private func drain() {
        let count = state.withLock { state in
            let before = state.told
            while state.told < state.slots.count, let finding = state.slots[state.told] {
                tell(finding, &state)
                state.slots[state.told] = nil
                state.told += 1
            }
            let count = state.told - before
            if state.told == state.slots.count || state.told > 1024 {
                state.slots.removeFirst(state.told)
                state.firstTicket += state.told
                state.told = 0
            }
            return count
        }
        for _ in 0..<count { room.release() }
    }

    /// Under the lock, so that the observer hears one finding at a time.
    private func tell(_ finding: CheckFinding, _ state: inout State) {
        if state.tally.add(finding) { observer.handle(finding) }
    }
}
