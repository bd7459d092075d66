import Foundation
import ObjectStores
import Replication

/// What is known of a pair over all its runs, whoever ran them: the one source of metrics, pages and notifications.
package struct PairRecord: Sendable, Hashable, Codable {
    package static let currentVersion = 1

    /// A run that has begun and not ended: under way, or killed. Which of both, its `RunMark` says.
    package struct Running: Sendable, Hashable, Codable {
        package var kind: PairWork.Kind
        package var trigger: PairWork.Trigger
        package var start: Int64
        package var process: Int32
        package var traceId: String
    }

    package struct LastRun: Sendable, Hashable, Codable {
        package var start: Int64
        package var end: Int64
        package var result: PairOutcome.Result
        package var exitCode: Int32
        package var message: String?
        package var copiedObjects: Int
        package var copiedBytes: Int64
        package var failedObjects: Int
        package var skippedObjects: Int
        package var traceId: String
    }

    package struct LastCheck: Sendable, Hashable, Codable {
        package var start: Int64
        package var end: Int64
        package var verdict: PairOutcome.Verdict?
        package var exitCode: Int32
        package var message: String?
        package var unprovenObjects: Int
    }

    package struct LastVerdict: Sendable, Hashable, Codable {
        package var end: Int64
        package var verdict: PairOutcome.Verdict
    }

    package var version = PairRecord.currentVersion
    package var pair: String
    /// Source and target of everything that is known here.
    package var places: String?
    /// A run over listings or over keys of events.
    package var running: Running?
    package var checking: Running?
    package var lastRun: LastRun?
    package var lastCheck: LastCheck?
    /// The newest check that came to a verdict: a later one that could not finish takes nothing of it back.
    package var lastVerdict: LastVerdict?
    package var consecutiveCheckFailures: Int?
    /// When events last told of what only a run over both listings can settle; nil once one has that began later.
    package var reconciliationAsked: Int64?
    /// Of which nobody has been told yet, though every channel was tried.
    package var untold: [PairEvent]?
    /// When the first run over listings began.
    package var firstRun: Int64?
    /// When the newest run that went through ended.
    package var lastSuccess: Int64?
    /// When the newest run began after which the target had all that the source had.
    package var recoveryPoint: Int64?
    package var consecutiveFailures = 0
    /// Of the newest run that listed the source to its end.
    package var sourceObjects: Int?
    package var sourceBytes: Int64?
    /// Failed, skipped or in conflict after the newest run, or unproven in a newer check; nil while nobody has looked.
    package var unverifiedObjects: Int?
    package var runFailure = Alarm()
    package var checkFailure = Alarm()
    package var drift = Alarm()
    package var totals = PairTotals()

    package init(pair: String) {
        self.pair = pair
    }

    /// Forgets what is known of other places that the pair had before. Its counters go on, and so does what people were told of, until
    /// a run or check at the new places tells better.
    package mutating func settle(at places: String?) {
        guard let places, places != self.places else { return }
        if self.places != nil {
            (lastRun, lastCheck, lastSuccess, recoveryPoint, firstRun) = (nil, nil, nil, nil, nil)
            (lastVerdict, consecutiveCheckFailures) = (nil, nil)
            (sourceObjects, sourceBytes, unverifiedObjects) = (nil, nil, nil)
        }
        self.places = places
    }

    package mutating func begin(_ work: PairWork, at moment: Int64, process: Int32) {
        settle(at: work.places)
        if work.kind == .sync, firstRun == nil { firstRun = moment }
        self[work.kind] = Running(
            kind: work.kind, trigger: work.trigger, start: moment, process: process, traceId: work.trace.traceID)
    }

    /// The run of a kind that has begun and not ended: a check beside a run of the others.
    package private(set) subscript(kind: PairWork.Kind) -> Running? {
        get { kind == .check ? checking : running }
        set { if kind == .check { checking = newValue } else { running = newValue } }
    }

    /// Takes up what a run did, and says what people should be told of.
    package mutating func end(_ outcome: PairOutcome, of work: PairWork) -> [PairEvent] {
        // Another pair of that name, from another configuration with the same state, says nothing of these places.
        if let theirs = work.places, let places, theirs != places { return [] }
        totals.add(outcome)
        if self[work.kind]?.traceId == work.trace.traceID { self[work.kind] = nil }
        // The run that held the pair writes about itself.
        if outcome.result == .locked { return [] }
        let events: [PairEvent]
        switch outcome.kind {
        case .events: return []
        case .sync: events = endSync(outcome, work)
        case .check: events = endCheck(outcome)
        }
        return events + takeUntold(after: outcome).filter { !events.contains($0) }
    }

    /// Of what nobody was told, that which this outcome shows to be so still. What is over is forgotten.
    private mutating func takeUntold(after outcome: PairOutcome) -> [PairEvent] {
        guard let events = untold else { return [] }
        var due: [PairEvent] = []
        untold = events.filter { event in
            let isDue =
                switch event {
                case .failure: outcome.result.isFailure && outcome.verdict == nil
                case .drift: outcome.verdict == .drift
                case .recovery: outcome.result == .success
                }
            if isDue { due.append(event) }
            return !isDue && isWell == (event == .recovery)
        }
        if untold?.isEmpty == true { untold = nil }
        return due
    }

    private var isWell: Bool { runFailure.since == nil && checkFailure.since == nil && drift.since == nil }

    /// Notes that no channel has taken what people should have been told.
    package mutating func noteUntold(_ event: PairEvent) {
        if untold?.contains(event) != true { untold = (untold ?? []) + [event] }
    }

    private mutating func endSync(_ outcome: PairOutcome, _ work: PairWork) -> [PairEvent] {
        let counts = outcome.counts
        lastRun = LastRun(
            start: outcome.start, end: outcome.end, result: outcome.result, exitCode: outcome.exitCode,
            message: outcome.message, copiedObjects: counts.copiedObjects, copiedBytes: counts.copiedBytes,
            failedObjects: counts.failedObjects, skippedObjects: counts.skippedObjects, traceId: work.trace.traceID)
        if outcome.isListed {
            sourceObjects = counts.sourceObjects
            sourceBytes = counts.sourceBytes
        }
        if outcome.isListed || counts.failedObjects + counts.skippedObjects + counts.conflicts > 0 {
            unverifiedObjects = counts.failedObjects + counts.skippedObjects + counts.leftObjects
        }
        if outcome.movesRecoveryPoint { recoveryPoint = outcome.start }
        // What was asked for in the second in which the run began may have come after it had looked.
        if outcome.isListed, let asked = reconciliationAsked, asked < outcome.start { reconciliationAsked = nil }
        if outcome.result == .success {
            lastSuccess = outcome.end
            consecutiveFailures = 0
            return runFailure.clear() && isWell ? [.recovery] : []
        }
        guard outcome.result.isFailure else { return [] }
        consecutiveFailures += 1
        return runFailure.raise(at: outcome.end) ? [.failure] : []
    }

    private mutating func endCheck(_ outcome: PairOutcome) -> [PairEvent] {
        lastCheck = LastCheck(
            start: outcome.start, end: outcome.end, verdict: outcome.verdict, exitCode: outcome.exitCode,
            message: outcome.message, unprovenObjects: outcome.unprovenObjects)
        guard let verdict = outcome.verdict else {
            guard outcome.result.isFailure else { return [] }
            consecutiveCheckFailures = (consecutiveCheckFailures ?? 0) + 1
            return checkFailure.raise(at: outcome.end) ? [.failure] : []
        }
        lastVerdict = LastVerdict(end: outcome.end, verdict: verdict)
        consecutiveCheckFailures = nil
        unverifiedObjects = outcome.unprovenObjects
        let wasFailing = checkFailure.clear()
        switch verdict {
        case .drift: return drift.raise(at: outcome.end) ? [.drift] : []
        case .inSync: return (drift.clear() || wasFailing) && isWell ? [.recovery] : []
        case .unproven: return wasFailing && isWell ? [.recovery] : []
        }
    }
}

/// What people are told of.
package enum PairEvent: String, Sendable, Hashable, CaseIterable, Codable {
    case failure, drift, recovery
}

extension PairRecord.Running {
    /// Whether another process that wrote it is there still; a killed one leaves its mark.
    package var isElsewhere: Bool { process != getpid() && (kill(process, 0) == 0 || errno == EPERM) }
}
