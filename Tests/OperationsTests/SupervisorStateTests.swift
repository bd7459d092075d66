import Configuration
import Operations
import Testing

/// Plays time and events against the state machine, and keeps what it wanted done.
private struct Play {
    var state = SupervisorState()
    var now: Int64 = 1_790_000_100

    static func plan(
        _ name: String, every seconds: Int64? = 900, check: Int64? = nil, catchesUp: Bool = true,
        windows: RateWindows = try! RateWindows()
    ) -> PairPlan {
        PairPlan(
            name: name, schedule: seconds.map { Schedule(.every($0), catchesUp: catchesUp) },
            check: check.map { Schedule(.every($0), catchesUp: catchesUp) }, windows: windows, seed: name)
    }

    mutating func configure(
        _ plans: [PairPlan], parallel: Int = 2, last: [String: LastStarts] = [:]
    ) -> [SupervisorState.Action] {
        state.handle(.configured(plans, parallel: parallel, lastStarts: last), at: now)
    }

    mutating func send(_ event: SupervisorState.Event) -> [SupervisorState.Action] { state.handle(event, at: now) }

    mutating func tick(_ seconds: Int64) -> [SupervisorState.Action] {
        now += seconds
        return state.handle(.tick, at: now)
    }

    /// Everything that begins is over by the next tick.
    mutating func end(_ actions: [SupervisorState.Action]) {
        for case .start(let pair, let kind, _) in actions { _ = send(.ended(pair: pair, kind: kind, wasLocked: false)) }
    }
}

private func start(
    _ pair: String, _ kind: PairWork.Kind = .sync, _ trigger: PairWork.Trigger = .schedule
) -> SupervisorState.Action {
    .start(pair: pair, kind: kind, trigger: trigger)
}

struct SupervisorStateTests {
    private let recent = LastStarts(sync: 1_790_000_100, check: 1_790_000_100)

    @Test("a run begins when it is due, once, and again a period later")
    func schedule() {
        var play = Play()
        #expect(play.configure([Play.plan("a")], last: ["a": recent]) == [])
        #expect(play.state.nextRun(of: "a") == 1_790_001_000)
        #expect(play.tick(899) == [])
        #expect(play.tick(1) == [start("a")])
        #expect(play.tick(1) == [])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.tick(898) == [])
        #expect(play.tick(1) == [start("a")])
    }

    @Test("what is due while the same is under way is skipped, each time")
    func noOverlap() {
        var play = Play()
        _ = play.configure([Play.plan("a")], last: ["a": recent])
        #expect(play.tick(900) == [start("a")])
        #expect(play.tick(900) == [.skipped(pair: "a", .running)])
        #expect(play.tick(900) == [.skipped(pair: "a", .running)])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.tick(900) == [start("a")])
    }

    @Test("a check that is due during a run waits for its end, and the other way round")
    func checkWaits() {
        var play = Play()
        _ = play.configure([Play.plan("a", every: 900, check: 1800)], last: ["a": recent])
        // 1_790_001_000 is a multiple of both: the check waits for the run.
        #expect(play.tick(900) == [start("a")])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [start("a", .check)])
        // And the next run for the check.
        #expect(play.tick(900) == [])
        #expect(play.send(.ended(pair: "a", kind: .check, wasLocked: false)) == [start("a")])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
    }

    @Test("one missed moment or many are made up for by one run; without catch-up by none")
    func catchUp() {
        var play = Play()
        let old = LastStarts(sync: 1_789_000_000, check: 1_789_000_000)
        let plans = [Play.plan("a", check: 3600), Play.plan("b", check: 3600, catchesUp: false)]
        let actions = play.configure(plans, last: ["a": old, "b": old])
        #expect(actions == [start("a", .sync, .catchUp)])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [start("a", .check, .catchUp)])
        // What has never run copies at once, and has nothing to check.
        var fresh = Play()
        #expect(fresh.configure([Play.plan("a", check: 3600)]) == [start("a", .sync, .catchUp)])
        #expect(fresh.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
    }

    @Test("places are given in the order in which pairs asked, so that none is passed over")
    func fairness() {
        var play = Play()
        let names = ["a", "b", "c", "d", "e"]
        let plans = names.map { Play.plan($0) }
        _ = play.configure(plans, parallel: 2, last: Dictionary(uniqueKeysWithValues: names.map { ($0, recent) }))
        #expect(play.tick(900) == [start("a"), start("b")])
        var begun = ["a", "b"]
        var under = ["a", "b"]
        // The first two are always the quick ones: they are due again long before the others have had a place.
        for _ in 0..<20 {
            _ = play.tick(900)
            let pair = under.removeFirst()
            for case .start(let next, _, _) in play.send(.ended(pair: pair, kind: .sync, wasLocked: false)) {
                begun.append(next)
                under.append(next)
            }
        }
        for name in names { #expect(begun.count { $0 == name } >= 4, "\(name) in \(begun)") }
    }

    @Test("a closed window holds runs back, and what was due in it runs when it opens")
    func windows() throws {
        // 1_790_000_100 is 2026-09-21T14:15:00Z, a Monday.
        let window = try RateWindows([RateWindow(days: "mon", from: "14:25", to: "15:10", rate: 0)])
        var play = Play()
        _ = play.configure(
            [Play.plan("a", windows: window), Play.plan("b", catchesUp: false, windows: window)],
            last: ["a": recent, "b": recent])
        #expect(play.tick(900) == [.skipped(pair: "a", .window), .skipped(pair: "b", .window)])
        #expect(play.send(.eventsWait(pair: "a")) == [])
        #expect(play.tick(2399) == [.skipped(pair: "a", .window), .skipped(pair: "b", .window)])
        #expect(play.tick(1) == [start("a", .events, .event)])
        #expect(play.send(.ended(pair: "a", kind: .events, wasLocked: false)) == [start("a", .sync, .catchUp)])
    }

    @Test("the next run is named as it will begin: after the window, in line, after a lock")
    func nextRun() throws {
        // From 14:25 to 15:10 nothing runs; it is 14:15.
        let window = try RateWindows([RateWindow(days: "mon", from: "14:25", to: "15:10", rate: 0)])
        let opening: Int64 = 1_790_000_100 + 55 * 60
        var play = Play()
        _ = play.configure(
            [Play.plan("a", windows: window), Play.plan("b", catchesUp: false, windows: window)],
            parallel: 1, last: ["a": recent, "b": recent])
        #expect(play.state.nextRun(of: "a") == opening)
        #expect(play.state.nextRun(of: "b") == opening + 5 * 60)
        _ = play.tick(900)
        #expect(play.state.nextRun(of: "a") == opening)
        #expect(play.state.nextRun(of: "b") == opening + 5 * 60)
        #expect(play.tick(40 * 60) == [start("a")])
        #expect(play.state.nextRun(of: "a") == opening + 5 * 60)
        // The one place is taken.
        _ = play.tick(5 * 60)
        #expect(play.state.isWaiting("b") && play.state.nextRun(of: "b") == play.now)
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: true)) == [start("b")])
        #expect(play.state.nextRun(of: "a") == play.now + SupervisorState.lockedInterval)
        #expect(!play.state.isWaiting("b") && play.state.nextRun(of: "b") == play.now + 900)
        _ = play.send(.drain)
        #expect(play.state.nextRun(of: "a") == nil)
    }

    @Test("runs over keys of events have places of their own, and never run beside another run of their pair")
    func events() {
        var play = Play()
        let names = ["a", "b", "c"]
        _ = play.configure(
            names.map { Play.plan($0) }, parallel: 1, last: Dictionary(uniqueKeysWithValues: names.map { ($0, recent) })
        )
        #expect(play.tick(900) == [start("a")])
        #expect(play.send(.eventsWait(pair: "a")) == [])
        #expect(play.send(.eventsWait(pair: "c")) == [start("c", .events, .event)])
        #expect(play.send(.eventsWait(pair: "b")) == [])
        #expect(play.send(.ended(pair: "c", kind: .events, wasLocked: false)) == [start("b", .events, .event)])
        #expect(play.send(.ended(pair: "b", kind: .events, wasLocked: false)) == [])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)).contains(start("a", .events, .event)))
    }

    @Test("a full run that events ask for begins at once, and then not again for a while")
    func reconciliation() {
        var play = Play()
        _ = play.configure([Play.plan("a", every: 86400)], last: ["a": recent])
        #expect(play.send(.reconciliationWanted(pair: "a")) == [start("a", .sync, .reconciliation)])
        #expect(play.send(.reconciliationWanted(pair: "a")) == [])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.tick(SupervisorState.reconciliationInterval - 1) == [])
        #expect(play.tick(1) == [start("a", .sync, .reconciliation)])
        play.end([start("a")])
        #expect(play.tick(1000) == [])
    }

    @Test("a reload keeps what is under way, takes new values for the next time, and forgets what is gone")
    func reload() {
        var play = Play()
        _ = play.configure([Play.plan("a"), Play.plan("b")], last: ["a": recent, "b": recent])
        #expect(play.tick(900) == [start("a"), start("b")])
        #expect(
            play.configure([Play.plan("a", every: 3600), Play.plan("c")], last: ["c": LastStarts(sync: play.now)]) == []
        )
        #expect(play.state.names == ["a", "c", "b"])
        #expect(play.state.plan(of: "b") == nil && play.state.nextRun(of: "b") == nil)
        // Both places are taken.
        #expect(play.tick(900) == [])
        #expect(play.send(.ended(pair: "b", kind: .sync, wasLocked: false)) == [start("c")])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.send(.ended(pair: "c", kind: .sync, wasLocked: false)) == [])
        // Of `b` nothing is left; `a` is due at the next full hour only.
        #expect(play.state.names == ["a", "c"])
        #expect(play.tick(900) == [start("a"), start("c")])
        // Unchanged plans stay as they are.
        let due = play.state.nextRun(of: "a")
        _ = play.configure([Play.plan("a", every: 3600), Play.plan("c")])
        #expect(play.state.nextRun(of: "a") == due)
    }

    @Test("a run that found its pair locked is begun again after a while")
    func locked() {
        var play = Play()
        _ = play.configure([Play.plan("a", every: 86400)], last: ["a": LastStarts(sync: 1)])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: true)) == [])
        #expect(play.tick(SupervisorState.lockedInterval - 1) == [])
        #expect(play.tick(1) == [start("a", .sync, .catchUp)])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: true)) == [])
        #expect(play.tick(10) == [])
        _ = play.send(.reconciliationWanted(pair: "a"))
        play.now += SupervisorState.lockedInterval - 10
        #expect(play.send(.tick) == [start("a", .sync, .catchUp)])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.tick(10 * SupervisorState.lockedInterval) == [], "one run was what both asked for")
    }

    @Test("a drain begins nothing, and is over when the last run is")
    func drain() {
        var play = Play()
        _ = play.configure(
            [Play.plan("a"), Play.plan("b"), Play.plan("c")], last: ["a": recent, "b": recent, "c": recent])
        #expect(play.tick(900) == [start("a"), start("b")])
        #expect(play.send(.drain) == [])
        #expect(play.tick(900) == [])
        #expect(play.send(.ended(pair: "a", kind: .sync, wasLocked: false)) == [])
        #expect(play.send(.ended(pair: "b", kind: .sync, wasLocked: false)) == [.finished])
        #expect(play.tick(900) == [])
        var idle = Play()
        #expect(idle.send(.drain) == [.finished])
    }

    @Test("a clock that was wrong by years and is set right does not keep runs waiting for years")
    func clockSetBack() {
        var play = Play()
        play.now += 10 * 365 * 86400
        _ = play.configure([Play.plan("a")], last: ["a": LastStarts(sync: play.now)])
        play.now -= 10 * 365 * 86400
        _ = play.tick(0)
        #expect(play.state.nextRun(of: "a") == 1_790_001_000)
        #expect(play.tick(900) == [start("a")])
    }
}
