package import ObjectStores
package import Replication
package import ReplicationModel

/// What a run of a pair did, in numbers: all that records, metrics, pages and notifications are made of.
package struct PairOutcome: Sendable {
    /// How a run ended, as a label of metrics.
    package enum Result: String, Sendable, CaseIterable, Codable {
        case success, drift, unproven, partial, failed, refused, limit, interrupted, locked, temporary, configuration
        /// Its process ended without a word.
        case killed

        /// Of the exit codes that every command has.
        package init(exitCode: Int32) {
            self =
                switch exitCode {
                case 0: .success
                case 3: .partial
                case 4: .drift
                case 5: .unproven
                case 6: .refused
                case 7: .locked
                case 8: .limit
                case 75: .temporary
                case 2, 78: .configuration
                case 129, 130, 143: .interrupted
                case 137: .killed
                default: .failed
                }
        }

        /// Whether somebody should know.
        package var isFailure: Bool {
            switch self {
            case .drift, .partial, .failed, .refused, .temporary, .configuration, .killed: true
            case .success, .unproven, .limit, .interrupted, .locked: false
            }
        }

        /// Those that work of a kind can end with.
        package static func all(of kind: PairWork.Kind) -> [Result] {
            allCases.filter { kind == .check || ![.drift, .unproven].contains($0) }
        }
    }

    package enum Verdict: String, Sendable, CaseIterable, Codable {
        case inSync = "in_sync"
        case drift
        case unproven
    }

    package var kind: PairWork.Kind
    package var exitCode: Int32
    /// What went wrong and what to do; nil when nothing did.
    package var message: String?
    /// Seconds since 1970.
    package var start: Int64
    package var end: Int64
    package var counts = RunCounts()
    /// Of all stores of that side.
    package var source = StoreMeter()
    package var target = StoreMeter()
    /// Whether both sides were listed to their ends, so that the counts are those of the whole pair.
    package var isListed = false
    /// Of a check.
    package var verdict: Verdict?
    /// Objects that a check could not prove to be the same.
    package var unprovenObjects = 0
    /// Of a run over single keys: those that the target may not have as the source has them; nil: all of them.
    package var unsettled: Set<ObjectKey>?

    package init(kind: PairWork.Kind, exitCode: Int32, message: String? = nil, start: Int64, end: Int64) {
        self.kind = kind
        self.exitCode = exitCode
        self.message = message
        self.start = start
        self.end = end
    }

    /// Of a run that is not there any more and has not said how it ended, found at `moment`.
    package init(killed run: PairRecord.Running, at moment: Int64) {
        let span = [run.start, moment].map { CivilTime(secondsSince1970: $0).rfc3339 }
        self.init(
            kind: run.kind, exitCode: 137,
            message:
                "process \(run.process) ended between \(span[0]) and \(span[1]) without a word: killed, out of memory, "
                + "or the machine went down",
            start: run.start, end: moment)
    }

    package var result: Result { Result(exitCode: exitCode) }

    /// Whether all that the source had when the run began is now at the target.
    package var movesRecoveryPoint: Bool {
        kind == .sync && exitCode == 0 && isListed && counts.failedObjects == 0 && counts.skippedObjects == 0
            && counts.conflicts == 0
    }
}

/// One thing to do for a pair.
package struct PairWork: Sendable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// Over both listings.
        case sync
        /// Over keys that events named.
        case events
        case check
    }

    /// What began it.
    package enum Trigger: String, Sendable, Hashable, Codable {
        case schedule
        /// A moment that passed while nobody was there, or while the pair's window was closed.
        case catchUp = "catch_up"
        case event
        /// What single keys could not settle.
        case reconciliation
        case command
    }

    package var pair: String
    package var kind: Kind
    package var trigger: Trigger
    package var keys: [ObjectKey]
    package var trace: TraceContext
    /// Source and target as the configuration has them now; nil where nobody says.
    package var places: String?

    package init(
        pair: String, kind: Kind, trigger: Trigger, keys: [ObjectKey] = [], trace: TraceContext = TraceContext(),
        places: String? = nil
    ) {
        self.places = places
        self.pair = pair
        self.kind = kind
        self.trigger = trigger
        self.keys = keys
        self.trace = trace
    }
}

/// Does what a pair needs.
package protocol PairRunner: Sendable {
    /// Whatever happens is in the outcome. Cancelling the task ends the run as a signal does: what is under way is finished or parked.
    /// - Parameter watch: given the run's counters once it has some.
    func run(_ work: PairWork, watch: @escaping @Sendable (RunProgress) -> Void) async -> PairOutcome
}
