import Foundation

/// The wall clock of a time zone, as the difference between its reading and UTC at each moment.
///
/// Local times are seconds as if the wall clock's reading were UTC.
struct ZoneClock: Sendable, Hashable {
    /// Longer than any clock is ever set forward or back, shorter than the time between two such changes.
    private static let reach: Int64 = 86400

    /// nil: UTC.
    private let zone: TimeZone?

    /// - Parameter name: of the IANA database, `Europe/Berlin`.
    init(_ name: String) throws(ScheduleError) {
        if ["UTC", "Etc/UTC", "GMT", "Z"].contains(name) {
            zone = nil
            return
        }
        guard let zone = TimeZone(identifier: name), zone.identifier == name else {
            throw ScheduleError(
                "time zone '\(name.prefix(60))' is not known: write a name such as Europe/Berlin or UTC")
        }
        self.zone = zone
    }

    func offset(at moment: Int64) -> Int64 {
        guard let zone else { return 0 }
        return Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(moment))))
    }

    /// The moments at which the clock shows this local time: the same one twice in most cases, two after the clock was set back, and
    /// none where it was set forward over it; then the moment of that change is given.
    func moments(of local: Int64) -> (first: Int64, last: Int64, exists: Bool) {
        guard zone != nil else { return (local, local, true) }
        let before = offset(at: local - Self.reach)
        let after = offset(at: local + Self.reach)
        if before == after { return (local - before, local - before, true) }
        let isBefore = offset(at: local - before) == before
        let isAfter = offset(at: local - after) == after
        switch (isBefore, isAfter) {
        case (true, true): return (min(local - before, local - after), max(local - before, local - after), true)
        case (true, false): return (local - before, local - before, true)
        case (false, true): return (local - after, local - after, true)
        case (false, false):
            // The clock is set forward between these two, once.
            let change = change(from: local - after, to: local - before) ?? local - before
            return (change, change, false)
        }
    }

    /// The first moment after one at which the clock has been set to what it is at a later one, as near to each other that it is set once
    /// at most; nil when it is not set between them.
    func change(from early: Int64, to late: Int64) -> Int64? {
        let after = offset(at: late)
        guard early < late, offset(at: early) != after else { return nil }
        var (early, late) = (early, late)
        while late - early > 1 {
            let middle = early + (late - early) / 2
            if offset(at: middle) == after { late = middle } else { early = middle }
        }
        return late
    }

    /// The lowest and highest local times that any moment near this one can have.
    func locals(near moment: Int64) -> ClosedRange<Int64> {
        let offsets = [offset(at: moment - Self.reach), offset(at: moment), offset(at: moment + Self.reach)]
        return (moment + offsets.min()!)...(moment + offsets.max()!)
    }
}
