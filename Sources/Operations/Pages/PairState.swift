/// How a pair is, in one word for people; the worst first.
package enum PairState: Int, Sendable, CaseIterable, Comparable {
    case failing, drift, late, checkFailing, incomplete, ending, new, unproven, well

    /// - Parameter now: seconds since 1970.
    package init(_ status: PairStatus, at now: Int64) {
        let record = status.record
        if status.isRemoved {
            self = .ending
        } else if record.runFailure.since != nil {
            self = .failing
        } else if record.drift.since != nil {
            self = .drift
        } else if status.isLate(at: now) {
            self = .late
        } else if record.checkFailure.since != nil {
            self = .checkFailing
        } else if record.lastRun == nil {
            self = .new
        } else if record.lastRun?.result == .limit || record.lastRun?.result == .interrupted {
            self = .incomplete
        } else if record.lastVerdict?.verdict == .unproven {
            self = .unproven
        } else {
            self = .well
        }
    }

    package static func < (a: PairState, b: PairState) -> Bool { a.rawValue < b.rawValue }

    /// A stable word for programs.
    package var name: String {
        switch self {
        case .failing: "failing"
        case .drift: "drift"
        case .late: "late"
        case .checkFailing: "check_failing"
        case .incomplete: "incomplete"
        case .ending: "ending"
        case .new: "new"
        case .unproven: "unproven"
        case .well: "in_step"
        }
    }

    var title: String {
        switch self {
        case .failing: "Failing"
        case .drift: "Differences found"
        case .late: "Late"
        case .checkFailing: "Check fails"
        case .incomplete: "Not finished"
        case .ending: "Ending, removed from the configuration"
        case .new: "No run yet"
        case .unproven: "Not proven"
        case .well: "In step"
        }
    }

    /// A shape of its own, for those who do not see the colour.
    var mark: String {
        switch self {
        case .failing: "✕"
        case .drift: "≠"
        case .late: "…"
        case .checkFailing: "!"
        case .incomplete: "◔"
        case .ending: "–"
        case .new: "○"
        case .unproven: "?"
        case .well: "✓"
        }
    }

    var tone: String {
        switch self {
        case .failing, .drift, .late: "bad"
        case .checkFailing, .incomplete, .unproven: "warn"
        case .new, .ending: "calm"
        case .well: "good"
        }
    }
}

extension PairOutcome.Result {
    /// What to do about it.
    func advice(pair: String) -> String? {
        switch self {
        case .success, .locked, .drift, .unproven: nil
        case .partial: "Some objects were not copied: lockstep run \(pair) names each with its reason."
        case .failed: "This should not happen: keep the log with this run's trace id."
        case .refused: "A guard refused, and nothing was deleted: look at the source before raising a limit."
        case .limit: "The next run goes on where this one stopped."
        case .interrupted: "The next run goes on where this one stopped."
        case .killed: "The kernel's log and the service manager's know who killed it. The next run goes on from there."
        case .temporary: "Probably over by itself: the next run tries again."
        case .configuration:
            "Until the configuration or the rights are changed, every run ends so: lockstep doctor looks for the cause."
        }
    }
}
