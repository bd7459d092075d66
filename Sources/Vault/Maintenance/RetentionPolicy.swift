import ReplicationModel

/// Which snapshots of a vault are kept: what any of the rules names, the newest of all, and the newest complete one.
///
/// The rules are those of restic's `forget`: a rule for hours keeps the newest snapshot of each of the last hours that have one, and so for
/// days, ISO weeks, months and years, all in UTC. While a rule has a count left, it also keeps the oldest snapshot, so that history reaches
/// back as far as it can.
package struct RetentionPolicy: Sendable, Hashable {
    package var keepLast: Int
    package var keepHourly: Int
    package var keepDaily: Int
    package var keepWeekly: Int
    package var keepMonthly: Int
    package var keepYearly: Int
    /// Seconds before the newest snapshot.
    package var keepWithin: Int64

    package init(
        keepLast: Int = 0, keepHourly: Int = 0, keepDaily: Int = 0, keepWeekly: Int = 0, keepMonthly: Int = 0,
        keepYearly: Int = 0, keepWithin: Int64 = 0
    ) {
        self.keepLast = keepLast
        self.keepHourly = keepHourly
        self.keepDaily = keepDaily
        self.keepWeekly = keepWeekly
        self.keepMonthly = keepMonthly
        self.keepYearly = keepYearly
        self.keepWithin = keepWithin
    }

    /// Names no snapshot to keep: more likely a mistake than a wish to lose all but the newest.
    package var isEmpty: Bool { self == RetentionPolicy() }

    /// One snapshot that is kept, and why.
    package struct Kept: Sendable, Hashable {
        package var snapshot: Snapshot
        package var reasons: [String]
    }

    /// - Parameter snapshots: as a root lists them, oldest first.
    /// - Returns: what is kept and what is not, in the same order.
    package func apply(to snapshots: [Snapshot]) -> (kept: [Kept], removed: [Snapshot]) {
        var reasons: [UInt64: [String]] = [:]
        if let newest = snapshots.last { reasons[newest.id, default: []].append("newest") }
        // Checkpoints are no states to go back to: no rule counts them.
        let complete = snapshots.filter { !$0.isPartial }
        if let newest = complete.last { reasons[newest.id, default: []].append("newest complete") }
        // By time, as the rules are; clocks of several writers need not agree with the order of their commits.
        let newestFirst = complete.sorted { ($0.time, $0.id) > ($1.time, $1.id) }
        if keepWithin > 0, let newest = newestFirst.first {
            for snapshot in newestFirst where newest.time - snapshot.time < keepWithin {
                reasons[snapshot.id, default: []].append("within")
            }
        }
        for rule in rules where rule.count > 0 {
            var left = rule.count
            var last: Int64?
            for (index, snapshot) in newestFirst.enumerated() where left > 0 {
                let period = rule.period(index, snapshot.time)
                guard period != last || index == newestFirst.count - 1 else { continue }
                last = period
                left -= 1
                reasons[snapshot.id, default: []].append(rule.name)
            }
        }
        return (
            snapshots.compactMap { snapshot in reasons[snapshot.id].map { Kept(snapshot: snapshot, reasons: $0) } },
            snapshots.filter { reasons[$0.id] == nil }
        )
    }

    private struct Rule {
        var name: String
        var count: Int
        /// Numbers the period that a snapshot falls in, from its place (newest first) and its time.
        var period: (_ index: Int, _ time: Int64) -> Int64
    }

    private var rules: [Rule] {
        [
            Rule(name: "last", count: keepLast) { index, _ in Int64(index) },
            Rule(name: "hourly", count: keepHourly) { _, time in Self.quotient(time, 3600) },
            Rule(name: "daily", count: keepDaily) { _, time in Self.quotient(time, 86_400) },
            // An ISO week begins on a Monday, and 1970 began on a Thursday.
            Rule(name: "weekly", count: keepWeekly) { _, time in Self.quotient(time + 3 * 86_400, 7 * 86_400) },
            Rule(name: "monthly", count: keepMonthly) { _, time in
                let date = CivilTime(secondsSince1970: time)
                return Int64(date.year * 12 + date.month)
            },
            Rule(name: "yearly", count: keepYearly) { _, time in
                Int64(CivilTime(secondsSince1970: time).year)
            },
        ]
    }

    /// Rounded down, also before 1970.
    private static func quotient(_ time: Int64, _ period: Int64) -> Int64 {
        (time - (time % period + period) % period) / period
    }
}
