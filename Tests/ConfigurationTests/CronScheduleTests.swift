import Configuration
import ReplicationModel
import Testing

struct CronScheduleTests {
    @Test("other implementations agree on the moments of many lines, and around changes of clocks")
    func agrees() throws {
        let rows = cronTable.split(separator: "\n").map { $0.split(separator: "|", omittingEmptySubsequences: false) }
        #expect(rows.count > 300)
        for row in rows {
            let line = try CronSchedule(String(row[0]), timeZone: String(row[1]))
            let start = try #require(Int64(row[2]))
            let after = row[3].split(separator: " ").compactMap { Int64($0) }
            var moment = start
            for expected in after {
                let next = try #require(line.next(after: moment))
                #expect(next == expected, "\(row[0]) in \(row[1]) after \(moment)")
                moment = next
            }
            moment = start
            for expected in row[4].split(separator: " ").compactMap({ Int64($0) }) {
                let previous = try #require(line.previous(before: moment))
                #expect(previous == expected, "\(row[0]) in \(row[1]) before \(moment)")
                moment = previous
            }
        }
    }

    @Test(
        "lines that are none are refused with the field and what to write",
        arguments: [
            ("* * * *", "4 fields and not five"), ("60 * * * *", "minute '60': numbers go from 0 to 59"),
            ("* 24 * * *", "hour '24'"), ("* * 0 * *", "day of month '0': numbers go from 1 to 31"),
            ("* * * 13 *", "month '13'"), ("* * * * 8", "day of week '8': numbers go from 0 to 7"),
            ("*/0 * * * *", "minute '*/0'"), ("*/90 * * * *", "`every:` takes any length"), ("5/15 * * * *", "5-59/"),
            ("10-5 * * * *", "the range ends before it begins"), ("1,,2 * * * *", "minute ''"),
            ("1-2-3 * * * *", "two ends"),
            ("* * * foo *", "or a name (jan)"), ("+5 * * * *", "minute '+5'"), ("@reboot", "not one of @annually"),
            ("0 0 30 2 *", "never happens"), ("0 0 31 4,6,9,11 *", "never happens"), ("", "0 fields"),
            ("0 0 31 2 */2", "never happens"),
        ])
    func refuses(line: String, reason: String) throws {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule(line) }
        #expect(try #require(error).description.contains(reason), "\(line): \(error?.description ?? "")")
    }

    @Test("what is written in another way means the same")
    func means() throws {
        for (one, other) in [
            ("0 0 * * 7", "0 0 * * sun"), ("0 0 * * fri-sun", "0 0 * * 0,5,6"), ("@Hourly", "0 * * * *"),
            ("0  0 *\t* SAT-SUN", "0 0 * * 6,0"), ("0 0 1 JAN-mar *", "0 0 1 1,2,3 *"),
        ] {
            let first = try CronSchedule(one)
            let second = try CronSchedule(other)
            var moment: Int64 = 1_790_000_000
            for _ in 0..<20 {
                #expect(first.next(after: moment) == second.next(after: moment))
                moment = try #require(first.next(after: moment))
            }
        }
    }

    @Test("an unknown time zone is refused with an example")
    func unknownZone() throws {
        let error = #expect(throws: ScheduleError.self) { try CronSchedule("0 0 * * *", timeZone: "Europe/Berlln") }
        #expect(try #require(error).description.contains("Europe/Berlin"))
    }
}

struct ScheduleTests {
    @Test("an interval has its moments at multiples since 1970, whenever it is asked")
    func interval() throws {
        let schedule = Schedule(try Schedule.every(.seconds(900)))
        #expect(schedule.next(after: 1_790_000_100, seed: "p") == 1_790_001_000)
        #expect(schedule.next(after: 1_790_001_000, seed: "p") == 1_790_001_900)
        #expect(schedule.previous(before: 1_790_001_000, seed: "p") == 1_790_000_100)
        #expect(throws: ScheduleError.self) { try Schedule.every(.seconds(59)) }
        #expect(throws: ScheduleError.self) { try Schedule.every(.seconds(400 * 86400)) }
    }

    @Test("jitter moves each pair by its own constant, spread over the whole of it")
    func jitter() throws {
        let schedule = Schedule(try Schedule.every(.seconds(3600)), jitter: 600)
        var delays: [Int64] = []
        for pair in 0..<200 {
            let seed = "host/pair-\(pair)"
            let first = try #require(schedule.next(after: 1_790_000_000, seed: seed))
            let second = try #require(schedule.next(after: first, seed: seed))
            #expect(second - first == 3600)
            #expect(schedule.previous(before: second, seed: seed) == first)
            delays.append(first % 3600)
        }
        #expect(delays.allSatisfy { (0..<600).contains($0) })
        // Ten tenths of the jitter, each with a fair share of the pairs.
        for tenth in 0..<10 { #expect(delays.count { $0 / 60 == Int64(tenth) } > 8) }
    }
}

struct RateWindowTests {
    private func moment(_ text: String) throws -> Int64 { try #require(CivilTime(rfc3339: text)).secondsSince1970 }

    @Test("the first window that contains a moment says the rate, in the wall clock of its zone")
    func allowances() throws {
        let windows = try RateWindows(
            [
                RateWindow(days: "mon-fri", from: "08:00", to: "18:00", rate: 20),
                RateWindow(days: "fri", from: "22:00", to: "06:00", rate: 0),
            ], otherwise: 100, timeZone: "Europe/Berlin")
        // 2026-11-20 is a Friday; Berlin is an hour ahead.
        for (time, expected) in [
            ("2026-11-20T06:59:59Z", RateWindows.Allowance.rate(100)), ("2026-11-20T07:00:00Z", .rate(20)),
            ("2026-11-20T16:59:59Z", .rate(20)), ("2026-11-20T17:00:00Z", .rate(100)),
            ("2026-11-20T21:00:00Z", .closed),
            ("2026-11-21T04:59:59Z", .closed), ("2026-11-21T05:00:00Z", .rate(100)),
            ("2026-11-21T10:00:00Z", .rate(100)),
            // In summer it is two hours ahead.
            ("2026-07-01T06:00:00Z", .rate(20)), ("2026-07-01T16:00:00Z", .rate(100)),
        ] {
            #expect(windows.allowance(at: try moment(time)) == expected, "\(time)")
        }
        #expect(windows.canClose)
    }

    @Test("the next change is where another allowance begins, over weekends and changes of clocks")
    func changes() throws {
        let windows = try RateWindows(
            [RateWindow(days: "mon-fri", from: "08:00", to: "18:00", rate: 20)], timeZone: "Europe/Berlin")
        for (time, expected) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T17:00:00Z"), ("2026-11-20T17:00:00Z", "2026-11-23T07:00:00Z"),
            // Clocks go back on the 25th of October.
            ("2026-10-23T16:00:00Z", "2026-10-26T07:00:00Z"),
        ] {
            #expect(windows.nextChange(after: try moment(time)) == (try moment(expected)), "\(time)")
        }
        // Half past two comes twice in the night to the 25th, and so does the window.
        let twice = try RateWindows(
            [RateWindow(days: "sun", from: "02:30", to: "04:00", rate: 0)], timeZone: "Europe/Berlin")
        for (time, expected) in [
            ("2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z"), ("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
            ("2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"), ("2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"),
        ] {
            #expect(twice.nextChange(after: try moment(time)) == (try moment(expected)), "\(time)")
        }
        #expect(try RateWindows().nextChange(after: 0) == nil)
        #expect(try RateWindows().allowance(at: 0) == .unlimited)
        // Two windows that meet with the same rate are one.
        let joined = try RateWindows([
            RateWindow(days: "*", from: "00:00", to: "12:00", rate: 5),
            RateWindow(days: "*", from: "12:00", to: "24:00", rate: 5),
        ])
        #expect(joined.nextChange(after: 1_790_000_000) == nil)
    }

    @Test(
        "windows that are none are refused",
        arguments: [
            ("mon-fri", "08:00", "08:00", "no length"), ("mon-fri", "8", "18:00", "time of day"),
            ("mon-fri", "08:00", "24:01", "time of day"), ("noday", "08:00", "18:00", "day of week 'noday'"),
            ("mon", "24:00", "06:00", "no length"), ("mon", "08:60", "18:00", "time of day"),
        ])
    func refuses(days: String, from: String, to: String, reason: String) throws {
        let error = #expect(throws: ScheduleError.self) { try RateWindow(days: days, from: from, to: to, rate: 1) }
        #expect(try #require(error).description.contains(reason), "\(error?.description ?? "")")
    }
}
