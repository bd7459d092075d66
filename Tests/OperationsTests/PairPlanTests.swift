import Configuration
import Operations
import Testing

struct PairPlanTests {
    /// 2026-09-21, a Monday, at 00:00 UTC.
    private static let monday: Int64 = 1_789_948_800

    private static func plan(
        every minutes: Int64 = 15, catchesUp: Bool = true, closed: (String, String)? = nil
    ) throws -> PairPlan {
        PairPlan(
            name: "p", schedule: Schedule(.every(minutes * 60), catchesUp: catchesUp), check: nil,
            windows: try RateWindows(
                closed.map { [try RateWindow(days: "*", from: $0.0, to: $0.1, rate: 0)] } ?? []), seed: "p")
    }

    /// Minutes of that Monday.
    private static func at(_ hours: Int64, _ minutes: Int64 = 0) -> Int64 { monday + hours * 3600 + minutes * 60 }

    @Test(
        "a run begins when it is due, or when the window opens in which it was",
        arguments: [
            (at(7, 40), true, at(7, 45)), (at(7, 45), true, at(18)), (at(12), true, at(18)), (at(17, 59), true, at(18)),
            (at(18), true, at(18, 15)), (at(7, 45), false, at(18)), (at(17, 59), false, at(18)),
        ])
    func nextStart(after moment: Int64, catchesUp: Bool, expected: Int64) throws {
        let plan = try Self.plan(catchesUp: catchesUp, closed: ("08:00", "18:00"))
        #expect(plan.nextStart(after: moment) == expected)
    }

    @Test("what is due in a window only begins at its end, or never")
    func onlyInWindow() throws {
        let rare = try Self.plan(every: 24 * 60, closed: ("23:00", "01:00"))
        #expect(rare.nextStart(after: Self.at(12)) == Self.at(25))
        #expect(rare.nextStart(after: Self.at(24, 30)) == Self.at(25))
        #expect(rare.nextStart(after: Self.at(25)) == Self.at(49))
        let never = try Self.plan(every: 24 * 60, catchesUp: false, closed: ("23:00", "01:00"))
        #expect(never.nextStart(after: Self.at(12)) == nil)
        #expect(never.recoveryDue(after: Self.at(12), running: nil) == nil)
    }

    @Test("a run has a period for its end, one that is under way another")
    func recoveryDue() throws {
        let plan = try Self.plan()
        let point = Self.at(12)
        #expect(plan.recoveryDue(after: point, running: nil) == Self.at(12, 30))
        #expect(plan.recoveryDue(after: point, running: Self.at(12, 15)) == Self.at(12, 45))
        #expect(plan.recoveryDue(after: point, running: Self.at(12, 29)) == Self.at(12, 45))
        // What begins when the pair is late does not make it look well.
        #expect(plan.recoveryDue(after: point, running: Self.at(12, 30)) == Self.at(12, 30))
        // Nobody promises anything for the hours in which nothing runs.
        let windowed = try Self.plan(closed: ("08:00", "18:00"))
        #expect(windowed.recoveryDue(after: Self.at(7, 45), running: nil) == Self.at(18, 15))
        #expect(
            PairPlan(name: "p", schedule: nil, check: nil, windows: try RateWindows(), seed: "")
                .recoveryDue(after: point, running: nil) == nil)
    }

    @Test("whatever fails or succeeds, a pair that is late stays so until its recovery point moves")
    func monotone() throws {
        var random = SystemRandomNumberGenerator()
        let plan = try Self.plan(closed: ("08:00", "18:00"))
        for _ in 0..<50 {
            let point = Self.at(0) + Int64.random(in: 0..<86400, using: &random)
            var now = point
            var running: Int64?
            var wasLate = false
            for _ in 0..<200 {
                now += Int64.random(in: 1...400, using: &random)
                running = Bool.random(using: &random) ? (running ?? now) : nil
                let isLate = plan.recoveryDue(after: point, running: running)! <= now
                #expect(isLate || !wasLate, "point \(point), now \(now), running \(String(describing: running))")
                wasLate = isLate
            }
        }
    }
}
