import ObjectStores
import Operations
import Replication
import Testing

struct MetricsTests {
    private func page(_ pairs: [PairStatus], at now: Int64 = 5000) -> String {
        var page = PrometheusText()
        PairMetrics.write(pairs, at: now, to: &page)
        return page.text
    }

    @Test("label values are escaped, and each family is written once with all of its samples")
    func escaping() {
        var text = PrometheusText()
        text.begin("m", .gauge, "Help.")
        text.add(1, [("a", "back\\slash \"quoted\" line\nend")])
        text.add(Double.nan)
        text.add(-Double.infinity, [("b", "")])
        text.add(0.25)
        text.begin("empty", .gauge, "Nothing.")
        #expect(
            text.text == """
                # HELP m Help.
                # TYPE m gauge
                m{a="back\\\\slash \\"quoted\\" line\\nend"} 1
                m NaN
                m{b=""} -Inf
                m 0.25

                """)
    }

    @Test("what is not known has no sample, and what is known follows from the record")
    func samples() {
        var record = PairRecord(pair: "p")
        let empty = page([PairStatus(record: record)])
        #expect(!empty.contains("last_success"))
        #expect(!empty.contains("lag"))
        #expect(empty.contains("lockstep_runs_total{pair=\"p\",kind=\"sync\",result=\"success\"} 0\n"))
        _ = record.end(
            outcome(0, at: 1000) {
                $0.sourceObjects = 12
                $0.sourceBytes = 1200
            }, of: PairWork(pair: "p", kind: .sync, trigger: .command))
        _ = record.end(
            outcome(4, kind: .check, at: 2000, verdict: .drift),
            of: PairWork(pair: "p", kind: .check, trigger: .command))
        var status = PairStatus(record: record, nextRun: 9000)
        status.recoveryDue = 9900
        let text = page([status])
        for line in [
            "lockstep_pair_last_success_timestamp_seconds{pair=\"p\"} 1010",
            "lockstep_pair_recovery_point_timestamp_seconds{pair=\"p\"} 1000",
            "lockstep_pair_replication_lag_seconds{pair=\"p\"} 4000",
            "lockstep_pair_next_run_timestamp_seconds{pair=\"p\"} 9000",
            "lockstep_pair_recovery_due_timestamp_seconds{pair=\"p\"} 9900",
            "lockstep_pair_source_objects{pair=\"p\"} 12",
            "lockstep_pair_check_verdict{pair=\"p\",verdict=\"drift\"} 1",
            "lockstep_runs_total{pair=\"p\",kind=\"sync\",result=\"success\"} 1",
            "lockstep_runs_total{pair=\"p\",kind=\"check\",result=\"drift\"} 1",
            "lockstep_runs_total{pair=\"p\",kind=\"check\",result=\"success\"} 0",
            "lockstep_pair_check_verdict{pair=\"p\",verdict=\"in_sync\"} 0", "lockstep_pair_running{pair=\"p\"} 0",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }

    @Test("classes of the histogram are cumulative, and the last is all of them")
    func histogram() {
        var histogram = LatencyHistogram()
        for milliseconds: Int64 in [1, 5, 6, 100, 70_000] { histogram.add(milliseconds * 1_000_000) }
        #expect(histogram.count == 5)
        var record = PairRecord(pair: "p")
        var run = outcome(0)
        run.target.writes = histogram
        _ = record.end(run, of: PairWork(pair: "p", kind: .sync, trigger: .command))
        let labels = "{pair=\"p\",side=\"target\",operation=\"write\""
        let lines = page([PairStatus(record: record)]).split(separator: "\n").filter { $0.contains(labels) }
        #expect(lines.first == "lockstep_part_duration_seconds_bucket\(labels),le=\"0.005\"} 2")
        #expect(lines.contains("lockstep_part_duration_seconds_bucket\(labels),le=\"0.1\"} 4"))
        #expect(lines.contains("lockstep_part_duration_seconds_bucket\(labels),le=\"60\"} 4"))
        #expect(lines.contains("lockstep_part_duration_seconds_bucket\(labels),le=\"+Inf\"} 5"))
        #expect(lines.contains("lockstep_part_duration_seconds_sum\(labels)} 70.112"))
        #expect(lines.last == "lockstep_part_duration_seconds_count\(labels)} 5")
    }

    @Test("a textfile is the pair's own, replaced at once, and what cannot be written is said")
    func textfile() throws {
        let scratch = Scratch()
        scratch.write("untouched", "lockstep_other.prom")
        let writer = TextfileWriter(directory: scratch.path)
        try writer.write(PairRecord(pair: "my.pair"), at: 1)
        #expect(scratch.names(scratch.path) == ["lockstep_my.pair.prom", "lockstep_other.prom"])
        #expect(scratch.text("lockstep_other.prom") == "untouched")
        let text = try #require(scratch.text("lockstep_my.pair.prom"))
        #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix("#") || $0.contains("{pair=\"my.pair\"") })
        let error = #expect(throws: RecordError.self) {
            try TextfileWriter(directory: scratch.path + "/absent").write(PairRecord(pair: "p"), at: 1)
        }
        #expect(try #require(error).description.contains("absent"))
    }
}
