import Operations
import Testing

struct PairJournalTests {
    private let scratch = Scratch()
    private let lines = Lines()
    private let work = PairWork(pair: "p", kind: .sync, trigger: .schedule)

    private var journal: PairJournal {
        PairJournal(
            records: PairRecordStore(state: scratch.path), textfile: TextfileWriter(directory: nil),
            log: ServiceLog(format: .text, level: .info, time: FixedTime()) { [lines] in lines.add($0) },
            time: FixedTime(), host: "host")
    }

    private var record: PairRecord {
        get throws { try #require(try PairRecordStore(state: scratch.path).read("p").record) }
    }

    @Test(
        "a run whose process went away is a failure, found by the next run",
        arguments: [PairWork.Kind.sync, .events, .check])
    func killed(kind: PairWork.Kind) async throws {
        let gone = PairWork(pair: "p", kind: kind, trigger: .event)
        journal.change("p") { $0.begin(gone, at: -5, process: 99) }
        let next = PairWork(pair: "p", kind: kind, trigger: .schedule)
        let entry = await journal.accompany(next) {
            #expect(throws: Never.self) { try #expect(record[kind]?.traceId == next.trace.traceID) }
            return outcome(0, kind: kind, verdict: kind == .check ? .inSync : nil)
        }
        #expect(try record.totals.runs == [kind.rawValue: ["killed": 1, "success": 1]])
        #expect(try record[kind] == nil)
        // What single keys missed comes again by itself.
        #expect(entry.notices.map(\.event) == (kind == .events ? [] : [.failure, .recovery]))
        for notice in entry.notices.prefix(1) {
            #expect(notice.exitCode == 137 && notice.traceId == gone.trace.traceID)
            #expect(try #require(notice.message).contains("between 1969-12-31T23:59:55Z and 1970-01-01T00:00:01Z"))
        }
        let told = lines.all.filter { $0.contains(gone.trace.traceID) }
        #expect(told.count == 1 && told[0].contains("error \(kind.rawValue) ends: killed, exit code 137"))
    }

    @Test("the daemon finds it when it begins, and once")
    func settled() throws {
        journal.change("p") { $0.begin(work, at: -5, process: 99) }
        #expect(journal.settleKilled("p").map(\.event) == [.failure])
        #expect(journal.settleKilled("p").isEmpty)
        #expect(try record.consecutiveFailures == 1)
        #expect(try LastStarts(record) == LastStarts(sync: nil), "it is made up for")
        #expect(PairState(PairStatus(record: try record), at: 1) == .failing)
    }

    @Test("a run that is there still is not taken for a killed one, whoever looks")
    func alive() async throws {
        let other = journal
        _ = await journal.accompany(work) {
            let running = try? record.running
            #expect(running?.traceId == work.trace.traceID)
            #expect(other.settleKilled("p").isEmpty)
            let second = PairWork(pair: "p", kind: .sync, trigger: .command)
            _ = await other.accompany(second) { outcome(7) }
            #expect((try? record.running) == running)
            // A check has a mark of its own.
            let check = PairWork(pair: "p", kind: .check, trigger: .command)
            _ = await other.accompany(check) { outcome(0, kind: .check, verdict: .inSync) }
            return outcome(0)
        }
        #expect(try record.running == nil && record.checking == nil)
        #expect(try record.totals.runs == ["sync": ["success": 1, "locked": 1], "check": ["success": 1]])
    }

    @Test("a mark is one's own for as long as it is kept")
    func mark() throws {
        let store = PairRecordStore(state: scratch.path)
        try store.update("p") { _ in }
        for _ in 0..<2 {
            let mark = store.mark("p", .sync)
            #expect(mark != nil)
            withExtendedLifetime(mark) { #expect(store.mark("p", .sync) == nil) }
        }
    }
}
