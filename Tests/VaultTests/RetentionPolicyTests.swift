import ReplicationModel
import Testing
import Vault

@Suite struct RetentionPolicyTests {
    /// Snapshots of these times, oldest first, numbered from 2 on.
    private static func snapshots(_ times: [Int64], partial: Set<UInt64> = []) -> [Snapshot] {
        times.enumerated().map { index, time in
            let id = UInt64(index + 2)
            return Snapshot(
                id: id, time: time, tree: nil, objects: 0, bytes: 0, source: "", host: "",
                isPartial: partial.contains(id), failures: 0)
        }
    }

    private static func time(_ text: String) -> Int64 {
        CivilTime(rfc3339: text)!.secondsSince1970
    }

    private static func kept(_ policy: RetentionPolicy, _ snapshots: [Snapshot]) -> [UInt64] {
        let (kept, removed) = policy.apply(to: snapshots)
        #expect((kept.map(\.snapshot) + removed).map(\.id).sorted() == snapshots.map(\.id))
        #expect(kept.allSatisfy { !$0.reasons.isEmpty })
        return kept.map(\.snapshot.id)
    }

    @Test func `the last ones are kept`() {
        let snapshots = Self.snapshots([100, 200, 300, 400])
        #expect(Self.kept(RetentionPolicy(keepLast: 2), snapshots) == [4, 5])
        #expect(Self.kept(RetentionPolicy(keepLast: 9), snapshots) == [2, 3, 4, 5])
    }

    @Test func `the newest of each hour, day, week, month and year is kept`() {
        let snapshots = Self.snapshots([
            Self.time("2025-06-01T10:00:00Z"), Self.time("2026-01-31T10:00:00Z"), Self.time("2026-11-15T23:59:59Z"),
            Self.time("2026-11-16T00:00:00Z"), Self.time("2026-11-21T10:05:00Z"), Self.time("2026-11-21T10:55:00Z"),
            Self.time("2026-11-21T11:00:00Z"),
        ])
        #expect(Self.kept(RetentionPolicy(keepHourly: 2), snapshots) == [7, 8])
        #expect(Self.kept(RetentionPolicy(keepDaily: 2), snapshots) == [5, 8])
        // The 16th is a Monday: the week of the 15th is the one before.
        #expect(Self.kept(RetentionPolicy(keepWeekly: 2), snapshots) == [4, 8])
        #expect(Self.kept(RetentionPolicy(keepMonthly: 2), snapshots) == [3, 8])
        #expect(Self.kept(RetentionPolicy(keepYearly: 2), snapshots) == [2, 8])
        #expect(Self.kept(RetentionPolicy(keepHourly: 1, keepYearly: 2), snapshots) == [2, 8])
    }

    @Test func `weeks are those of ISO also across years`() {
        // 2026-12-28 is a Monday: with 2027-01-03 it is one week, of which 2027-01-04 is none.
        let snapshots = Self.snapshots([
            Self.time("2026-12-27T12:00:00Z"), Self.time("2026-12-28T00:00:00Z"), Self.time("2027-01-03T23:59:59Z"),
            Self.time("2027-01-04T00:00:00Z"),
        ])
        #expect(Self.kept(RetentionPolicy(keepWeekly: 2), snapshots) == [4, 5])
        #expect(Self.kept(RetentionPolicy(keepWeekly: 3), snapshots) == [2, 4, 5])
    }

    @Test func `while a count is left the oldest is kept`() {
        let day: Int64 = 86_400
        let snapshots = Self.snapshots([0, 1, 2 * day, 2 * day + 1])
        #expect(Self.kept(RetentionPolicy(keepDaily: 2), snapshots) == [3, 5])
        #expect(Self.kept(RetentionPolicy(keepDaily: 3), snapshots) == [2, 3, 5])
    }

    @Test func `within counts back from the newest snapshot`() {
        let snapshots = Self.snapshots([1000, 1099, 1100, 1200])
        #expect(Self.kept(RetentionPolicy(keepWithin: 100), snapshots) == [5])
        #expect(Self.kept(RetentionPolicy(keepWithin: 101), snapshots) == [4, 5])
    }

    @Test func `the newest complete one is kept beside a newer checkpoint`() {
        let snapshots = Self.snapshots([100, 200, 300], partial: [4])
        #expect(Self.kept(RetentionPolicy(keepLast: 1), snapshots) == [3, 4])
        #expect(Self.kept(RetentionPolicy(), snapshots) == [3, 4])
        #expect(Self.kept(RetentionPolicy(keepLast: 1), Self.snapshots([5], partial: [2])) == [2])
        #expect(Self.kept(RetentionPolicy(keepLast: 1), []) == [])
    }

    @Test func `clocks that disagree lose no newest snapshot`() {
        // The last one was made by a machine whose clock is behind.
        let snapshots = Self.snapshots([5000, 9000, 100])
        #expect(Self.kept(RetentionPolicy(keepLast: 1), snapshots) == [3, 4])
        #expect(Self.kept(RetentionPolicy(keepWithin: 10), snapshots) == [3, 4])
    }

    @Test func `times before 1970 and at the ends of time are in some period`() {
        let snapshots = Self.snapshots([-86_401, -1, 0])
        #expect(Self.kept(RetentionPolicy(keepDaily: 2), snapshots) == [3, 4])
    }
}
