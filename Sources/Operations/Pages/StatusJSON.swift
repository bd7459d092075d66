import Foundation
import Replication
import ReplicationModel

/// The status page for programs. A field is never given another meaning, new ones may come.
package enum StatusJSON {
    private static let schema = "lockstep.pairs/1"

    private struct Page: Encodable {
        var schema = StatusJSON.schema
        var time: String
        var host: String
        var version: String
        var configurationGood: Bool
        var needsRestart: [String]
        var draining: Bool
        var pairs: [Pair]
    }

    private struct Pair: Encodable {
        var name: String
        var state: String
        var source: String
        var target: String
        var lagSeconds: Int64?
        var nextRun: String?
        var lastSuccess: String?
        var recoveryPoint: String?
        var recoveryDue: String?
        var consecutiveFailures: Int
        var sourceObjects: Int?
        var sourceBytes: Int64?
        var unverifiedObjects: Int?
        var lastRun: Run?
        var lastCheck: Check?
        var running: Running?
        var totals: PairTotals
    }

    private struct Run: Encodable {
        var start: String
        var end: String
        var result: String
        var exitCode: Int32
        var message: String?
        var advice: String?
        var copiedObjects: Int
        var copiedBytes: Int64
        var failedObjects: Int
        var skippedObjects: Int
        var traceId: String
    }

    private struct Check: Encodable {
        var start: String
        var end: String
        var verdict: String?
        var exitCode: Int32
        var message: String?
        var unprovenObjects: Int
    }

    private struct Running: Encodable {
        var kind: String
        var trigger: String
        var start: String
        var traceId: String
        var plannedObjects: Int?
        var plannedBytes: Int64?
        var copiedObjects: Int?
        var arrivedBytes: Int64?
        var listed: Bool?
    }

    /// - Parameter now: seconds since 1970.
    package static func text(
        _ pairs: [(status: PairStatus, place: ServiceSetup.Place)], facts: ServiceFacts, host: String, isDraining: Bool,
        now: Int64
    ) throws -> String {
        let page = Page(
            time: moment(now), host: host, version: facts.version, configurationGood: facts.isConfigurationGood,
            needsRestart: facts.needsRestart, draining: isDraining, pairs: pairs.map { pair($0.status, $0.place, now) })
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(page), as: UTF8.self) + "\n"
    }

    private static func moment(_ seconds: Int64) -> String { CivilTime(secondsSince1970: seconds).rfc3339 }

    private static func pair(_ status: PairStatus, _ place: ServiceSetup.Place, _ now: Int64) -> Pair {
        let record = status.record
        let counts = status.live?.progress?.counts
        return Pair(
            name: record.pair, state: PairState(status, at: now).name, source: place.source, target: place.target,
            lagSeconds: status.lag(at: now), nextRun: status.nextRun.map(moment),
            lastSuccess: record.lastSuccess.map(moment), recoveryPoint: status.recoveryPoint(at: now).map(moment),
            recoveryDue: status.recoveryDue.map(moment),
            consecutiveFailures: record.consecutiveFailures, sourceObjects: record.sourceObjects,
            sourceBytes: record.sourceBytes, unverifiedObjects: record.unverifiedObjects,
            lastRun: record.lastRun.map {
                Run(
                    start: moment($0.start), end: moment($0.end), result: $0.result.rawValue, exitCode: $0.exitCode,
                    message: $0.message, advice: $0.result.advice(pair: record.pair), copiedObjects: $0.copiedObjects,
                    copiedBytes: $0.copiedBytes, failedObjects: $0.failedObjects, skippedObjects: $0.skippedObjects,
                    traceId: $0.traceId)
            },
            lastCheck: record.lastCheck.map {
                Check(
                    start: moment($0.start), end: moment($0.end), verdict: $0.verdict?.rawValue, exitCode: $0.exitCode,
                    message: $0.message, unprovenObjects: $0.unprovenObjects)
            },
            running: status.live.map {
                Running(
                    kind: $0.work.kind.rawValue, trigger: $0.work.trigger.rawValue, start: moment($0.start),
                    traceId: $0.work.trace.traceID, plannedObjects: counts?.plannedObjects,
                    plannedBytes: counts?.plannedBytes, copiedObjects: counts?.copiedObjects,
                    arrivedBytes: counts?.arrivedBytes, listed: $0.progress?.isListed)
            },
            totals: record.totals)
    }
}
