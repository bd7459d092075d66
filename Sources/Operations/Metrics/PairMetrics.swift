import ObjectStores
import Replication

/// The metrics of pairs. Every one has the label `pair`, so that the files of two pairs can lie in one directory.
package enum PairMetrics {
    /// One number of a pair now; nil is no sample, because what is not known is not zero.
    private struct Gauge: Sendable {
        var name: String
        var help: String
        var value: @Sendable (PairStatus, _ now: Int64) -> Int64?

        init(_ name: String, _ help: String, _ value: @escaping @Sendable (PairStatus, Int64) -> Int64?) {
            self.name = name
            self.help = help
            self.value = value
        }
    }

    /// Counters of a pair, told apart by a label.
    private struct Counter: Sendable {
        var name: String
        var help: String
        var label: String
        var values: [String]
        var count: @Sendable (PairTotals, String) -> Int64
    }

    private static let gauges = [
        Gauge("lockstep_pair_last_run_timestamp_seconds", "When the last run ended.") { status, _ in
            status.record.lastRun?.end
        },
        Gauge("lockstep_pair_first_run_timestamp_seconds", "When the first run began.") { status, _ in
            status.record.firstRun
        },
        Gauge("lockstep_pair_last_success_timestamp_seconds", "When the last run that went through ended.") {
            status, _ in
            status.record.lastSuccess
        },
        Gauge(
            "lockstep_pair_recovery_point_timestamp_seconds",
            "When the newest run began after which the target had all that the source had."
        ) { status, now in status.recoveryPoint(at: now) },
        Gauge("lockstep_pair_replication_lag_seconds", "Seconds since the recovery point, when this was written.") {
            $0.lag(at: $1)
        },
        Gauge("lockstep_pair_last_run_duration_seconds", "How long the last run took.") { status, _ in
            // Nobody knows when a killed one ended.
            status.record.lastRun.flatMap { $0.result == .killed ? nil : max(0, $0.end - $0.start) }
        },
        Gauge("lockstep_pair_last_check_timestamp_seconds", "When the last check ended that came to a verdict.") {
            status, _ in
            status.record.lastVerdict?.end
        },
        Gauge(
            "lockstep_pair_check_consecutive_failures", "Checks without a verdict since the last that came to one."
        ) { status, _ in Int64(status.record.consecutiveCheckFailures ?? 0) },
        Gauge("lockstep_pair_next_run_timestamp_seconds", "When the next run begins.") { status, _ in status.nextRun },
        Gauge(
            "lockstep_pair_recovery_due_timestamp_seconds",
            "From when on the pair is behind its schedule, if its recovery point does not move."
        ) { status, _ in status.recoveryDue },
        Gauge("lockstep_pair_last_exit_code", "Exit code of the last run.") { status, _ in
            status.record.lastRun.map { Int64($0.exitCode) }
        },
        Gauge("lockstep_pair_running", "1 while a run of the pair is under way.") { status, _ in
            let elsewhere = [status.record.running, status.record.checking].contains { $0?.isElsewhere == true }
            return status.live != nil || elsewhere ? 1 : 0
        },
        Gauge("lockstep_pair_consecutive_failures", "Failed runs since the last that went through.") { status, _ in
            Int64(status.record.consecutiveFailures)
        },
        Gauge("lockstep_pair_source_objects", "Objects at the source, when it was last listed to its end.") {
            status, _ in
            status.record.sourceObjects.map(Int64.init)
        },
        Gauge("lockstep_pair_source_bytes", "Bytes at the source, when it was last listed to its end.") { status, _ in
            status.record.sourceBytes
        },
        Gauge(
            "lockstep_pair_unverified_objects",
            "Objects that the last run or check could not copy or prove to be the same."
        ) { status, _ in status.record.unverifiedObjects.map(Int64.init) },
        Gauge("lockstep_pair_run_arrived_bytes", "Bytes that arrived in the run under way.") { status, _ in
            status.live?.progress.map { $0.counts.arrivedBytes }
        },
        Gauge("lockstep_pair_run_planned_bytes", "Bytes that the run under way has decided to copy.") { status, _ in
            status.live?.progress.map { $0.counts.plannedBytes }
        },
    ]

    private static let counters = [
        Counter(
            name: "lockstep_objects_total", help: "Objects that runs have handled.", label: "result",
            values: ["copied", "adopted", "unchanged", "deleted", "skipped", "failed", "conflict"]
        ) { Int64($0.objects[$1] ?? 0) },
        Counter(
            name: "lockstep_bytes_total", help: "Bytes that runs have handled.", label: "direction",
            values: ["copied", "sent", "resumed", "avoided", "deleted"]
        ) { $0.bytes[$1] ?? 0 },
        Counter(
            name: "lockstep_event_messages_total", help: "Messages of the pair's queue.", label: "result",
            values: EventResult.allCases.map(\.rawValue)
        ) { Int64($0.eventMessages[$1] ?? 0) },
        Counter(
            name: "lockstep_runs_skipped_total", help: "Runs that did not begin when they were due.", label: "reason",
            values: SkippedRun.allCases.map(\.rawValue)
        ) { Int64($0.skippedRuns[$1] ?? 0) },
    ]

    /// - Parameter now: seconds since 1970.
    package static func write(_ pairs: [PairStatus], at now: Int64, to page: inout PrometheusText) {
        for gauge in gauges {
            page.begin(gauge.name, .gauge, gauge.help)
            for status in pairs {
                if let value = gauge.value(status, now) { page.add(value, [label(status)]) }
            }
        }
        writeVerdicts(pairs, &page)
        writeRuns(pairs, &page)
        for counter in counters {
            page.begin(counter.name, .counter, counter.help)
            for status in pairs {
                for value in counter.values {
                    page.add(counter.count(status.record.totals, value), [label(status), (counter.label, value)])
                }
            }
        }
        writeRequests(pairs, &page)
        writeDurations(pairs, &page)
    }

    private static func label(_ status: PairStatus) -> (String, String) { ("pair", status.record.pair) }

    private static func sides(_ status: PairStatus) -> [(String, PairTotals.Side)] {
        [("source", status.record.totals.source), ("target", status.record.totals.target)]
    }

    private static func writeVerdicts(_ pairs: [PairStatus], _ page: inout PrometheusText) {
        page.begin("lockstep_pair_check_verdict", .gauge, "1 for what the last check found that came to a verdict.")
        for status in pairs {
            guard let found = status.record.lastVerdict?.verdict else { continue }
            for verdict in PairOutcome.Verdict.allCases {
                page.add(verdict == found ? 1 : 0, [label(status), ("verdict", verdict.rawValue)])
            }
        }
    }

    private static func writeRuns(_ pairs: [PairStatus], _ page: inout PrometheusText) {
        page.begin(
            "lockstep_runs_total", .counter, "Runs over listings, checks and runs over keys of events that ended.")
        for status in pairs {
            for kind in PairWork.Kind.allCases {
                let runs = status.record.totals.runs[kind.rawValue] ?? [:]
                for result in PairOutcome.Result.all(of: kind) {
                    page.add(
                        runs[result.rawValue] ?? 0,
                        [label(status), ("kind", kind.rawValue), ("result", result.rawValue)])
                }
            }
        }
    }

    private static func writeRequests(_ pairs: [PairStatus], _ page: inout PrometheusText) {
        page.begin("lockstep_requests_total", .counter, "Requests to stores, each attempt counted.")
        for status in pairs {
            for (side, totals) in sides(status) {
                for (operation, count) in totals.requests.sorted(by: { $0.key < $1.key }) {
                    page.add(count, [label(status), ("side", side), ("operation", operation)])
                }
            }
        }
        page.begin("lockstep_retries_total", .counter, "Requests that were tried again.")
        for status in pairs {
            for (side, totals) in sides(status) { page.add(totals.retries, [label(status), ("side", side)]) }
        }
        page.begin("lockstep_throttles_total", .counter, "Answers that asked for fewer requests.")
        for status in pairs {
            for (side, totals) in sides(status) { page.add(totals.throttles, [label(status), ("side", side)]) }
        }
    }

    private static func writeDurations(_ pairs: [PairStatus], _ page: inout PrometheusText) {
        let bounds = LatencyHistogram.bounds.map { Double($0) / 1e9 }
        page.begin(
            "lockstep_part_duration_seconds", .histogram, "How long requests took that carry bytes of objects.")
        for status in pairs {
            for (side, totals) in sides(status) {
                for (operation, latency) in [("read", totals.reads), ("write", totals.writes)] {
                    let histogram = latency.histogram
                    page.add(
                        bounds: bounds, counts: histogram.counts, sum: Double(histogram.sum) / 1e9,
                        [label(status), ("side", side), ("operation", operation)])
                }
            }
        }
    }
}
