package import Replication

/// A run that is under way in this process.
package struct LiveRun: Sendable {
    package var work: PairWork
    package var place: ServiceSetup.Place
    /// Seconds since 1970.
    package var start: Int64
    /// Monotonic nanoseconds.
    package var started: Int64
    /// nil until the run has counters.
    package var progress: RunProgress?

    package init(
        work: PairWork, place: ServiceSetup.Place, start: Int64, started: Int64, progress: RunProgress? = nil
    ) {
        self.work = work
        self.place = place
        self.start = start
        self.started = started
        self.progress = progress
    }
}

/// What is known of one pair now.
package struct PairStatus: Sendable {
    package var record: PairRecord
    package var live: LiveRun?
    /// When the next run begins; nil without a schedule.
    package var nextRun: Int64?
    /// It is due, and has no place yet.
    package var isWaiting = false
    /// The configuration has it no longer, and its run is under way.
    package var isRemoved = false
    /// From when on the pair is late if its recovery point does not move; nil where no schedule promises anything.
    package var recoveryDue: Int64?

    package init(record: PairRecord, live: LiveRun? = nil, nextRun: Int64? = nil) {
        self.record = record
        self.live = live
        self.nextRun = nextRun
    }

    /// Whether the recovery point is older than the schedule promises.
    package func isLate(at now: Int64) -> Bool { recoveryDue.map { $0 <= now } ?? false }

    /// What the schedule counts from: the recovery point, or the beginning of all runs when these have not led to one.
    func promisedPoint(at now: Int64) -> Int64? {
        recoveryPoint(at: now) ?? (record.lastRun == nil ? nil : record.firstRun)
    }

    /// When the run over listings began that is under way, here or in another process.
    var runningSync: Int64? {
        if let live { return live.work.kind == .sync ? live.start : nil }
        return record.running.flatMap { $0.kind == .sync && $0.isElsewhere ? $0.start : nil }
    }

    /// One that lies ahead is of a clock that was wrong, and says nothing.
    package func recoveryPoint(at now: Int64) -> Int64? {
        record.recoveryPoint.flatMap { $0 <= now + Self.clockTolerance ? $0 : nil }
    }

    /// Seconds by which clocks may be apart.
    private static var clockTolerance: Int64 { 300 }

    package func lag(at now: Int64) -> Int64? { recoveryPoint(at: now).map { max(0, now - $0) } }
}
