package import Configuration

/// What the supervisor has to know of a pair.
package struct PairPlan: Sendable, Hashable {
    package var name: String
    package var schedule: Schedule?
    package var check: Schedule?
    package var windows: RateWindows
    /// Of the jitter.
    package var seed: String

    package init(name: String, schedule: Schedule?, check: Schedule?, windows: RateWindows, seed: String) {
        self.name = name
        self.schedule = schedule
        self.check = check
        self.windows = windows
        self.seed = seed
    }

    func schedule(of kind: PairWork.Kind) -> Schedule? {
        switch kind {
        case .sync: schedule
        case .check: check
        case .events: nil
        }
    }

    // MARK: What the schedule promises

    /// Moments in windows without runs that are passed over in search of one that is not.
    private static let maxMoments = 60

    /// The first moment after this one at which a run over listings really begins: when it is due, or at the end of the window without
    /// runs in which it was due, if it is made up for.
    package func nextStart(after moment: Int64) -> Int64? {
        guard let schedule else { return nil }
        if schedule.catchesUp, windows.allowance(at: moment) == .closed,
            let opening = windows.nextOpening(from: moment),
            let due = schedule.previous(before: opening, seed: seed), windows.nextOpening(from: due) == opening
        {
            return opening
        }
        var start = moment
        for _ in 0..<Self.maxMoments {
            guard let due = schedule.next(after: start, seed: seed), let opening = windows.nextOpening(from: due) else {
                return nil
            }
            if opening == due || schedule.catchesUp { return opening }
            start = opening - 1
        }
        return nil
    }

    /// The moment from which on the pair is late if its recovery point is still `point`.
    ///
    /// By the second start after the point the run of the first must have ended: it had a whole period. A run that is under way and
    /// began before that gets one period more. So for one recovery point a pair that has become late stays late, whatever begins then.
    /// - Parameter start: of the run over listings that is under way.
    package func recoveryDue(after point: Int64, running start: Int64?) -> Int64? {
        guard let first = nextStart(after: point), let second = nextStart(after: first) else { return nil }
        guard let start, start < second else { return second }
        return nextStart(after: second)
    }
}

/// When the newest runs of a pair began that need not be made up for, in seconds since 1970.
package struct LastStarts: Sendable, Hashable {
    package var sync: Int64?
    package var check: Int64?
    /// Whether events have told of what only a run over both listings can settle.
    package var owesReconciliation = false

    package init(sync: Int64? = nil, check: Int64? = nil) {
        self.sync = sync
        self.check = check
    }

    /// What a signal ended has to be made up for.
    package init(_ record: PairRecord) {
        func isDone(_ exitCode: Int32) -> Bool {
            ![.interrupted, .killed].contains(PairOutcome.Result(exitCode: exitCode))
        }
        sync = record.lastRun.flatMap { isDone($0.exitCode) ? $0.start : nil }
        // A pair that was never checked has nothing to make up for; one whose check was ended has.
        check = record.lastCheck.map { isDone($0.exitCode) ? $0.start : 0 }
        owesReconciliation = record.reconciliationAsked != nil
    }
}
