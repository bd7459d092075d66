package import ObjectStores
import Replication

/// Counters of a pair since its record was made; they never fall.
package struct PairTotals: Sendable, Hashable, Codable {
    package struct Latency: Sendable, Hashable, Codable {
        package var counts: [Int]
        /// Nanoseconds.
        package var sum: Int64

        package init(_ histogram: LatencyHistogram) {
            counts = histogram.counts
            sum = histogram.sum
        }

        package var histogram: LatencyHistogram { LatencyHistogram(counts: counts, sum: sum) }
    }

    /// Requests and waiting of one side.
    package struct Side: Sendable, Hashable, Codable {
        package var requests: [String: Int] = [:]
        package var retries = 0
        package var throttles = 0
        package var reads = Latency(LatencyHistogram())
        package var writes = Latency(LatencyHistogram())

        mutating func add(_ meter: StoreMeter) {
            for (operation, count) in meter.requests { requests[operation.rawValue, default: 0] += count }
            retries += meter.retries
            throttles += meter.throttles
            var histogram = reads.histogram
            histogram.add(meter.reads)
            reads = Latency(histogram)
            histogram = writes.histogram
            histogram.add(meter.writes)
            writes = Latency(histogram)
        }
    }

    /// By kind, and by result.
    package var runs: [String: [String: Int]] = [:]
    package var objects: [String: Int] = [:]
    package var bytes: [String: Int64] = [:]
    package var source = Side()
    package var target = Side()
    package var eventMessages: [String: Int] = [:]
    package var skippedRuns: [String: Int] = [:]
    package var notifications: [String: Int] = [:]

    package init() {}

    package mutating func add(_ outcome: PairOutcome) {
        runs[outcome.kind.rawValue, default: [:]][outcome.result.rawValue, default: 0] += 1
        let counts = outcome.counts
        for (name, count) in [
            ("copied", counts.copiedObjects), ("adopted", counts.adoptedObjects),
            ("unchanged", counts.unchangedObjects),
            ("deleted", counts.deletedObjects), ("skipped", counts.skippedObjects), ("failed", counts.failedObjects),
            ("conflict", counts.conflicts),
        ] where count > 0 {
            objects[name, default: 0] += count
        }
        for (name, count) in [
            ("copied", counts.copiedBytes), ("sent", counts.sentBytes), ("resumed", counts.resumedBytes),
            ("avoided", counts.avoidedBytes), ("deleted", counts.deletedBytes),
        ] where count > 0 {
            bytes[name] = (bytes[name] ?? 0).addingClamped(count)
        }
        source.add(outcome.source)
        target.add(outcome.target)
    }

    package mutating func add(_ result: EventResult, _ count: Int = 1) {
        eventMessages[result.rawValue, default: 0] += count
    }

    package mutating func add(_ reason: SkippedRun) {
        skippedRuns[reason.rawValue, default: 0] += 1
    }
}

/// What became of a message of a queue.
package enum EventResult: String, Sendable, CaseIterable {
    case copied, removed, ignored, unreadable, failed
}

/// Why a run did not begin when it was due.
package enum SkippedRun: String, Sendable, CaseIterable {
    case running, window
}

extension Int64 {
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
