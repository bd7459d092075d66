import ObjectStores
import Operations
import Replication
import ReplicationModel
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A directory that goes with the test.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/lockstep-operations.XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit {
        for name in names(path) {
            for inner in names("\(path)/\(name)") { unlink("\(path)/\(name)/\(inner)") }
            if rmdir("\(path)/\(name)") != 0 { unlink("\(path)/\(name)") }
        }
        rmdir(path)
    }

    func names(_ directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func text(_ name: String) -> String? {
        guard let file = fopen("\(path)/\(name)", "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    func write(_ text: String, _ name: String) {
        let file = fopen("\(path)/\(name)", "w")
        fputs(text, file)
        fclose(file)
    }
}

func outcome(
    _ exitCode: Int32, kind: PairWork.Kind = .sync, at start: Int64 = 1000, isListed: Bool = true,
    verdict: PairOutcome.Verdict? = nil, _ fill: (inout RunCounts) -> Void = { _ in }
) -> PairOutcome {
    var outcome = PairOutcome(
        kind: kind, exitCode: exitCode, message: exitCode == 0 ? nil : "it went wrong", start: start, end: start + 10)
    outcome.isListed = isListed
    outcome.verdict = verdict
    fill(&outcome.counts)
    return outcome
}

struct PairRecordTests {
    private let work = PairWork(pair: "p", kind: .sync, trigger: .command)

    @Test(
        "the recovery point is moved by runs that listed both sides and left nothing, and by no others",
        arguments: [
            (outcome(0), true), (outcome(0, isListed: false), false), (outcome(3) { $0.failedObjects = 1 }, false),
            (outcome(0) { $0.skippedObjects = 1 }, false), (outcome(0) { $0.conflicts = 1 }, false),
            (outcome(0, kind: .events), false), (outcome(0, kind: .check, verdict: .inSync), false),
            (outcome(8), false), (outcome(4, kind: .check, verdict: .drift), false),
        ])
    func recoveryPoint(outcome: PairOutcome, moves: Bool) {
        var record = PairRecord(pair: "p")
        record.recoveryPoint = 1
        _ = record.end(outcome, of: work)
        #expect(record.recoveryPoint == (moves ? 1000 : 1))
    }

    @Test("what is known of other places is not known of these; the counters go on")
    func places() {
        var record = PairRecord(pair: "p")
        func run(_ places: String) -> PairWork { PairWork(pair: "p", kind: .sync, trigger: .command, places: places) }
        record.begin(run("s3://a gs://b"), at: 1000, process: 1)
        _ = record.end(outcome(0), of: run("s3://a gs://b"))
        #expect(record.recoveryPoint == 1000 && record.lastSuccess != nil)
        record.settle(at: "s3://a gs://b")
        #expect(record.recoveryPoint == 1000)
        record.settle(at: "s3://a gs://c")
        #expect(record.recoveryPoint == nil && record.lastSuccess == nil && record.lastRun == nil)
        #expect(record.totals.runs == ["sync": ["success": 1]])
    }

    @Test("what a pair of the same name at other places did while this one was at work is not of this one")
    func beside() {
        var record = PairRecord(pair: "p")
        record.begin(PairWork(pair: "p", kind: .sync, trigger: .command, places: "s3://a gs://b"), at: 1000, process: 1)
        let other = PairWork(pair: "p", kind: .sync, trigger: .command, places: "s3://x gs://y")
        #expect(record.end(outcome(0), of: other) == [])
        #expect(record.lastSuccess == nil && record.recoveryPoint == nil && record.totals.runs.isEmpty)
        #expect(record.running != nil)
    }

    @Test("nobody is told that a pair is well while differences go on")
    func notWell() {
        var record = PairRecord(pair: "p")
        #expect(record.end(outcome(4, kind: .check, at: 100, verdict: .drift), of: work) == [.drift])
        #expect(record.end(outcome(78, at: 200), of: work) == [.failure])
        #expect(record.end(outcome(0, at: 300), of: work) == [])
        #expect(record.end(outcome(0, kind: .check, at: 400, verdict: .inSync), of: work) == [.recovery])
    }

    @Test("people are told when failing begins, again each day, and when it is over")
    func failures() {
        var record = PairRecord(pair: "p")
        #expect(record.end(outcome(0, at: 0), of: work) == [])
        #expect(record.end(outcome(3, at: 100), of: work) == [.failure])
        #expect(record.end(outcome(75, at: 200), of: work) == [])
        #expect(record.consecutiveFailures == 2)
        // Neither good nor bad: nothing changes.
        for code: Int32 in [8, 130, 143, 7] { #expect(record.end(outcome(code, at: 300), of: work) == []) }
        #expect(record.consecutiveFailures == 2)
        #expect(record.end(outcome(1, at: 100 + 86400), of: work) == [.failure])
        #expect(record.end(outcome(1, at: 200 + 86400), of: work) == [])
        #expect(record.end(outcome(0, kind: .events, at: 300 + 86400), of: work) == [])
        #expect(record.end(outcome(0, at: 400 + 86400), of: work) == [.recovery])
        #expect(record.end(outcome(0, at: 500 + 86400), of: work) == [])
        #expect(record.consecutiveFailures == 0)
        #expect(record.end(outcome(6, at: 600 + 86400), of: work) == [.failure])
    }

    @Test("a clock that is set back does not silence failures")
    func clockSetBack() {
        var record = PairRecord(pair: "p")
        #expect(record.end(outcome(3, at: 1_000_000), of: work) == [.failure])
        #expect(record.end(outcome(3, at: 1000), of: work) == [.failure])
    }

    @Test("differences are told once, and their end too; a check that fails is a failure of its own")
    func checks() {
        func check(_ verdict: PairOutcome.Verdict?, _ code: Int32, _ at: Int64) -> PairOutcome {
            outcome(code, kind: .check, at: at, verdict: verdict)
        }
        var record = PairRecord(pair: "p")
        #expect(record.end(check(.inSync, 0, 0), of: work) == [])
        #expect(record.end(check(.drift, 4, 100), of: work) == [.drift])
        #expect(record.end(check(.drift, 4, 200), of: work) == [])
        #expect(record.end(check(.unproven, 5, 300), of: work) == [])
        #expect(record.end(outcome(0, at: 350), of: work) == [])
        #expect(record.end(check(.inSync, 0, 400), of: work) == [.recovery])
        #expect(record.end(check(nil, 78, 500), of: work) == [.failure])
        #expect(record.end(check(nil, 78, 600), of: work) == [])
        #expect(record.end(check(.inSync, 0, 700), of: work) == [.recovery])
        #expect(
            record.totals.runs == [
                "sync": ["success": 1], "check": ["success": 3, "drift": 2, "unproven": 1, "configuration": 2],
            ]
        )
        // Only the run.
        #expect(record.lastSuccess == 360 && record.lastRun?.start == 350)
    }

    @Test("a check that cannot finish takes back nothing of what the last one found")
    func verdicts() {
        var record = PairRecord(pair: "p")
        _ = record.end(outcome(4, kind: .check, at: 100, verdict: .drift), of: work)
        for number in 1...3 {
            _ = record.end(outcome(75, kind: .check, at: 200, verdict: nil), of: work)
            #expect(record.lastVerdict?.verdict == .drift && record.lastVerdict?.end == 110)
            #expect(record.consecutiveCheckFailures == number && record.lastCheck?.exitCode == 75)
        }
        _ = record.end(outcome(0, kind: .check, at: 300, verdict: .inSync), of: work)
        #expect(record.lastVerdict?.verdict == .inSync && record.consecutiveCheckFailures == nil)
    }

    @Test("what no channel took is told when the next run shows it still, and not when it is over")
    func untold() {
        var record = PairRecord(pair: "p")
        #expect(record.end(outcome(3, at: 100), of: work) == [.failure])
        record.noteUntold(.failure)
        #expect(record.end(outcome(8, at: 150), of: work) == [])
        #expect(record.end(outcome(3, at: 200), of: work) == [.failure])
        #expect(record.end(outcome(3, at: 300), of: work) == [])
        record.noteUntold(.failure)
        #expect(record.end(outcome(0, at: 400), of: work) == [.recovery])
        record.noteUntold(.recovery)
        #expect(record.end(outcome(0, at: 500), of: work) == [.recovery])
        #expect(record.end(outcome(0, at: 600), of: work) == [] && record.untold == nil)
    }

    @Test("what events asked for is owed until a run has listed that began later")
    func reconciliation() {
        var record = PairRecord(pair: "p")
        func end(_ code: Int32, at moment: Int64, listed: Bool) {
            var outcome = outcome(code, at: moment)
            outcome.isListed = listed
            _ = record.end(outcome, of: work)
        }
        record.reconciliationAsked = 100
        end(0, at: 100, listed: true)
        end(75, at: 101, listed: false)
        #expect(record.reconciliationAsked == 100 && LastStarts(record).owesReconciliation)
        end(0, at: 101, listed: true)
        #expect(record.reconciliationAsked == nil && !LastStarts(record).owesReconciliation)
    }

    @Test("counters only rise, and a run that was locked out changes nothing but its own")
    func totals() {
        var record = PairRecord(pair: "p")
        record.begin(work, at: 5, process: 99)
        var first = outcome(0) {
            $0.copiedObjects = 3
            $0.copiedBytes = 30
            $0.sentBytes = 20
        }
        first.source.requests = [.read: 4]
        first.source.reads.add(7_000_000)
        first.target.retries = 2
        _ = record.end(first, of: work)
        _ = record.end(first, of: work)
        let before = record
        _ = record.end(outcome(7), of: PairWork(pair: "p", kind: .sync, trigger: .command))
        #expect(record.totals.runs == ["sync": ["success": 2, "locked": 1]])
        #expect(record.lastRun == before.lastRun)
        #expect(record.totals.objects["copied"] == 6)
        #expect(record.totals.bytes == ["copied": 60, "sent": 40])
        #expect(record.totals.source.requests == ["read": 8])
        #expect(record.totals.source.reads.histogram.count == 2)
        #expect(record.totals.source.reads.sum == 14_000_000)
        #expect(record.totals.target.retries == 4)
    }
}

struct PairRecordStoreTests {
    @Test("what happens while no record can be written counts all the same, and is written when one can")
    func unwritten() throws {
        let scratch = Scratch()
        let store = PairRecordStore(state: scratch.path)
        let work = PairWork(pair: "p", kind: .sync, trigger: .schedule)
        try store.update("p") { _ = $0.end(outcome(0), of: work) }
        // A file where the directory was: nothing can be written, as on a full disk.
        #expect(rename("\(scratch.path)/pairs", "\(scratch.path)/away") == 0)
        scratch.write("", "pairs")
        #expect(throws: RecordError.self) { try store.update("p") { _ = $0.end(outcome(1, at: 2000), of: work) } }
        #expect(store.remember("p") { $0.end(outcome(1, at: 2000), of: work) } == [.failure])
        #expect(try store.read("p").record?.consecutiveFailures == 1)
        #expect(throws: RecordError.self) { try store.probe() }
        #expect(unlink("\(scratch.path)/pairs") == 0 && rename("\(scratch.path)/away", "\(scratch.path)/pairs") == 0)
        try store.update("p") { _ = $0.end(outcome(1, at: 3000), of: work) }
        try store.probe()
        #expect(try PairRecordStore(state: scratch.path).read("p").record?.consecutiveFailures == 2)
    }

    @Test("a record is what was written, whoever reads it")
    func roundTrip() throws {
        let scratch = Scratch()
        let store = PairRecordStore(state: scratch.path)
        #expect(try store.read("models").record == nil)
        let work = PairWork(pair: "models", kind: .sync, trigger: .schedule)
        try store.update("models") { record in
            record.begin(work, at: 10, process: 4)
            _ = record.end(outcome(3) { $0.failedObjects = 2 }, of: work)
            record.totals.add(.unreadable)
            record.totals.add(SkippedRun.window)
        }
        let record = try #require(try PairRecordStore(state: scratch.path).read("models").record)
        #expect(record.lastRun?.exitCode == 3)
        #expect(record.lastRun?.traceId == work.trace.traceID)
        #expect(record.totals.eventMessages == ["unreadable": 1])
        #expect(record.totals.skippedRuns == ["window": 1])
        #expect(record.runFailure.since == 1010)
        let (again, problem) = try store.update("models") { $0 }
        #expect(again == record && problem == nil)
        #expect(scratch.names("\(scratch.path)/pairs") == [".lock", "models.json"])
    }

    @Test(
        "a damaged record is set aside by name, and the pair goes on",
        arguments: ["", "{", "[]", "{\"version\":1}", "\u{0}\u{0}"])
    func damaged(text: String) throws {
        let scratch = Scratch()
        let store = PairRecordStore(state: scratch.path)
        try store.update("p") { $0.consecutiveFailures = 3 }
        scratch.write(text, "pairs/p.json")
        let (_, problem) = try store.update("p") { $0.consecutiveFailures += 1 }
        #expect(try #require(problem).contains("p.json.damaged"))
        #expect(try store.read("p").record?.consecutiveFailures == 1)
        #expect(scratch.text("pairs/p.json.damaged") != nil)
    }

    @Test("a record that a newer program wrote is left alone")
    func newer() throws {
        let scratch = Scratch()
        let store = PairRecordStore(state: scratch.path)
        try store.update("p") { _ in }
        let text = "{\"version\": 2, \"other\": true}"
        scratch.write(text, "pairs/p.json")
        let error = #expect(throws: RecordError.self) { try store.update("p") { _ in } }
        #expect(try #require(error).description.contains("newer lockstep"))
        #expect(scratch.text("pairs/p.json") == text)
    }

    @Test("no name leads out of the directory")
    func names() throws {
        let scratch = Scratch()
        let store = PairRecordStore(state: scratch.path)
        for name in ["../x", "a/b", ".lock", "ä"] {
            try store.update(name) { $0.consecutiveFailures = 7 }
            #expect(try store.read(name).record?.consecutiveFailures == 7)
        }
        #expect(scratch.names(scratch.path) == ["pairs"])
        #expect(scratch.names("\(scratch.path)/pairs").count == 5)
    }
}
