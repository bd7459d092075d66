import Operations
import Replication
import ReplicationModel
import Synchronization

extension Operations.PairOutcome {
    /// - Parameters:
    ///   - problems: what the run has told of single objects.
    ///   - start: seconds since 1970, as `end`.
    init(_ report: RunReport, kind: PairWork.Kind, problems: RunProblems, start: Int64, end: Int64) {
        self.init(kind: kind, exitCode: report.exitCode, start: start, end: end)
        counts = report.summary.counts
        source = report.source
        target = report.target
        isListed = report.summary.isListed
        let failure = report.summary.failure?.description ?? report.manifestFailure
        if exitCode != 0 { message = failure ?? problems.sentence ?? report.stopSentence }
        if kind == .events {
            unsettled = report.summary.failure == nil && report.summary.stop == nil ? problems.keys : nil
        }
    }

    init(_ report: CheckReport, start: Int64, end: Int64) {
        self.init(kind: .check, exitCode: report.exitCode, start: start, end: end)
        source = report.sourceRequests
        target = report.targetRequests
        let counts = report.summary.counts
        unprovenObjects = counts.unprovenObjects + counts.differences
        if let failure = report.summary.failure {
            message = failure.description
            return
        }
        switch report.summary.verdict {
        case .inSync: verdict = .inSync
        case .drift:
            verdict = .drift
            let verb = counts.differences == 1 ? "differs or is" : "differ or are"
            message = "\(Format.objects(counts.differences)) \(verb) on one side only"
        case .unproven:
            verdict = .unproven
            message = "\(Format.objects(counts.unprovenObjects)) could not be proven to be the same"
        }
    }

    /// A run that ended before there was a report.
    init(_ failure: CommandFailure, exitCode: Int32, kind: PairWork.Kind, start: Int64, end: Int64) {
        self.init(kind: kind, exitCode: exitCode, message: failure.description, start: start, end: end)
    }
}

extension RunReport {
    fileprivate var stopSentence: String? {
        switch summary.stop {
        case .maxTransfer: "stopped at the most bytes of one run; the next run goes on"
        case .maxDuration: "stopped at the longest time of one run, or because its window closed; the next run goes on"
        case .interrupted: "interrupted; the next run goes on"
        case nil: nil
        }
    }
}

/// Collects what a run tells of objects that it left as they were, and passes everything on.
final class RunProblems: ReplicationObserver {
    /// Keys of events come in batches; of a whole pair only the first failure is told.
    private static let maxKeys = 1000

    private struct State {
        var keys: Set<ObjectKey> = []
        var count = 0
        var first: String?
    }

    private let next: any ReplicationObserver
    private let state = Mutex(State())

    init(_ next: any ReplicationObserver) {
        self.next = next
    }

    func handle(_ event: ReplicationEvent) {
        switch event {
        case .failed(let key, let failure): note(key, failure.description)
        // Gone from the source is what the target may be told of by the next full run.
        case .skipped(_, .missing), .skipped(_, .vanished): break
        case .skipped(let key, let reason): note(key, reason.advice)
        default: break
        }
        next.handle(event)
    }

    private func note(_ key: ObjectKey, _ reason: String) {
        state.withLock { state in
            state.count += 1
            if state.first == nil { state.first = "\(key): \(reason)" }
            if state.keys.count < Self.maxKeys { state.keys.insert(key) }
        }
    }

    /// nil when there were more than are kept: any key may be among them.
    var keys: Set<ObjectKey>? { state.withLock { $0.count > Self.maxKeys ? nil : $0.keys } }

    /// The first, and how many there are.
    var sentence: String? {
        state.withLock { state in
            state.first.map {
                state.count == 1 ? $0 : "\(Format.objects(state.count)) were not copied; the first: \($0)"
            }
        }
    }
}
