import Foundation
import Operations
import Replication
import Testing

struct StatusPageTests {
    private let facts = ServiceFacts(
        version: "1.2.3", configurationPath: "/etc/lockstep & co.yaml", isConfigurationGood: true, configured: 1,
        bufferBytes: 0, notifications: [:])
    private let work = PairWork(pair: "p", kind: .sync, trigger: .command)

    private func pair(
        _ name: String, source: String = "s3://a/", _ outcomes: [PairOutcome] = []
    ) -> (status: PairStatus, place: ServiceSetup.Place) {
        var record = PairRecord(pair: name)
        for outcome in outcomes {
            _ = record.end(outcome, of: PairWork(pair: name, kind: outcome.kind, trigger: .command))
        }
        return (
            PairStatus(record: record), ServiceSetup.Place(source: source, target: "gs://b/", identity: name, memory: 0)
        )
    }

    private func html(_ pairs: [(status: PairStatus, place: ServiceSetup.Place)]) -> String {
        StatusPage.html(pairs, facts: facts, host: "host", isDraining: false, now: 100_000, monotonic: 0)
    }

    @Test("a configuration that was not taken is named, with the command that says why")
    func badConfiguration() {
        var facts = facts
        let good = StatusPage.html([], facts: facts, host: "host", isDraining: false, now: 0, monotonic: 0)
        facts.isConfigurationGood = false
        let bad = StatusPage.html([], facts: facts, host: "host", isDraining: false, now: 0, monotonic: 0)
        let command = "lockstep config check --config /etc/lockstep &amp; co.yaml"
        #expect(!good.contains(command) && bad.contains(command))
    }

    @Test("what anybody else wrote is text and never markup")
    func escaping() {
        var failed = outcome(3)
        failed.message = "<script>alert(1)</script> & \"quoted\" 'single' \u{202E}turned\u{7}"
        let text = html([pair("<b>bold</b>", source: "s3://x/<img src=y onerror=z>", [failed])])
        for part in ["<script", "<b>", "<img", "\u{202E}", "\u{7}"] { #expect(!text.contains(part), "\(part)") }
        #expect(
            text.contains(
                "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot; &#39;single&#39; \u{FFFD}turned\u{FFFD}"
            ))
    }

    @Test("pairs that need attention come first, and the headline counts them")
    func order() throws {
        let text = html([pair("good", [outcome(0)]), pair("never"), pair("bad", [outcome(0), outcome(78, at: 2000)])])
        let places = ["<h2>bad</h2>", "<h2>never</h2>", "<h2>good</h2>"].compactMap { text.range(of: $0)?.lowerBound }
        #expect(places.count == 3 && places == places.sorted())
        #expect(text.contains("1 of 3 pairs needs attention"))
        #expect(text.contains("it went wrong"))
        #expect(text.contains("lockstep doctor"))
    }

    @Test("a pair is late from the moment on that its schedule promised, and failing is worse")
    func late() throws {
        for (outcomes, state) in [([outcome(0)], PairState.late), ([outcome(0), outcome(1)], .failing)] {
            var pair = pair("p", outcomes)
            pair.status.recoveryDue = 100_001
            #expect(PairState(pair.status, at: 100_000) == (state == .late ? .well : state))
            #expect(!html([pair]).contains("Behind its schedule"))
            pair.status.recoveryDue = 100_000
            #expect(PairState(pair.status, at: 100_000) == state)
            let text = html([pair])
            #expect(text.contains("Behind its schedule since") && text.contains("1970-01-02 03:46:40 UTC"))
            #expect(text.contains("1 of 1 pair needs attention"))
        }
    }

    @Test("nothing is loaded and nothing is executed")
    func selfContained() {
        let text = html([pair("p", [outcome(0)])])
        for part in ["<script", "<link", "<img", "@import", "url(", "http://", "https://"] {
            #expect(!text.contains(part), "\(part)")
        }
    }

    @Test(
        "a pair is what is worst about it",
        arguments: [
            ([], PairState.new), ([outcome(0)], .well), ([outcome(0), outcome(3)], .failing),
            ([outcome(0), outcome(8)], .incomplete), ([outcome(3), outcome(8)], .failing),
            ([outcome(0), outcome(4, kind: .check, verdict: .drift)], .drift),
            ([outcome(0), outcome(5, kind: .check, verdict: .unproven)], .unproven),
            ([outcome(0), outcome(75, kind: .check)], .checkFailing), ([outcome(0), outcome(7)], .well),
        ] as [([PairOutcome], PairState)])
    func states(outcomes: [PairOutcome], expected: PairState) {
        #expect(PairState(pair("p", outcomes).status, at: 100_000) == expected)
    }
}

struct LogTests {
    @Test("a line is one line, whatever is in it, and JSON keeps its own fields")
    func lines() {
        let lines = Lines()
        for format in ServiceLog.Format.allCases {
            let log = ServiceLog(format: format, level: .info, time: FixedTime()) { lines.add($0) }
            log.about(pair: "a\n\"b\"").warning("first\nsecond")
            log.debug("unseen")
        }
        #expect(
            lines.all == [
                "1970-01-01T00:00:01.500Z warning first second pair=\"a 'b'\"",
                #"{"level":"warning","message":"first\nsecond","pair":"a\n\"b\"","time":"1970-01-01T00:00:01.500Z"}"#,
            ])
    }

    @Test("ids of a run have the lengths of W3C Trace Context, and are new each time")
    func trace() {
        let one = TraceContext()
        #expect(one.traceID.utf8.count == 32 && one.spanID.utf8.count == 16)
        #expect(one != TraceContext())
    }
}
