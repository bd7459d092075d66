import Digests
import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel

/// One line of `check --json`. The schema's version is in every line; a field is never given another meaning, new ones may come.
private struct CheckJSONEvent: Encodable {
    var schema = "lockstep.check/1"
    var event: String
    var time: String
    /// The pair of the configuration that it is about.
    var pair: String?
    /// The key; bytes that are not UTF-8 are replaced, and the exact bytes are then in `keyBase64`.
    var key: String?
    var keyBase64: String?
    /// Bytes at the source and at the target; missing where there is no object.
    var sourceSize: Int64?
    var targetSize: Int64?
    /// What differs, or why nothing is known, as a stable word.
    var reason: String?
    var evidence: Int?
    var message: String?
    var summary: CheckJSONSummary?
}

/// The last line: how the check ended.
private struct CheckJSONSummary: Encodable {
    struct Tally: Encodable {
        var objects: Int
        var bytes: Int64

        init(_ tally: ObjectTally) {
            objects = tally.objects
            bytes = tally.bytes
        }
    }

    struct Recovery: Encodable {
        var waitingObjects: Int
        var waitingBytes: Int64
        var oldest: String?
        var ageSeconds: Int64?
        var untimedObjects: Int
    }

    struct SetLine: Encodable {
        var name: String
        var objects: Int
        var problems: Int
        var newest: String?

        init(_ set: CheckedSet) {
            name = set.name.text
            objects = set.objects.objects
            problems = set.problems
            newest = set.newest == 0 ? nil : Format.time(set.newest)
        }
    }

    struct Sets: Encodable {
        var complete: Int
        var incomplete: Int
        /// At most 1,000.
        var firstIncomplete: [SetLine]
        var newestComplete: SetLine?
    }

    struct Sample: Encodable {
        var seed: UInt64
        var population: Int
        var checked: Int
        var differing: Int
        /// With 95 % confidence fewer than this share differ.
        var upperBound: Double?
    }

    struct Requests: Encodable {
        var source: [String: Int]
        var target: [String: Int]
    }

    var verdict: String
    var exitCode: Int32
    var error: String?
    var seconds: Double
    var evidence: Int
    var ledger: Bool
    var source: Tally
    var target: Tally
    var same: [String: Tally]
    var differs: [String: Tally]
    var onlyInSource: Tally
    var onlyInTarget: Tally
    var unproven: [String: Tally]
    var ignoredInTarget: Int
    var gone: Int
    var hidden: Int
    var filtered: Int
    var recoveryPoint: Recovery
    var sets: Sets?
    var sample: Sample?
    var requests: Requests
    var peakBufferBytes: Int

    init(_ report: CheckReport) {
        let summary = report.summary
        let counts = summary.counts
        verdict = summary.verdict.rawValue
        exitCode = report.exitCode
        error = summary.failure?.description
        seconds = Double(report.elapsed / 1_000_000) / 1000
        evidence = summary.evidence.rawValue
        ledger = report.hasLedger
        source = Tally(counts.source)
        target = Tally(counts.target)
        same = Dictionary(uniqueKeysWithValues: counts.same.map { ("\($0.key)", Tally($0.value)) })
        differs = Dictionary(uniqueKeysWithValues: counts.differs.map { ($0.key.rawValue, Tally($0.value)) })
        onlyInSource = Tally(counts.onlyInSource)
        onlyInTarget = Tally(counts.onlyInTarget)
        unproven = Dictionary(uniqueKeysWithValues: counts.unproven.map { ($0.key.rawValue, Tally($0.value)) })
        ignoredInTarget = counts.ignoredInTarget
        gone = counts.gone
        hidden = counts.hidden
        filtered = counts.filtered
        let recovery = summary.recovery
        recoveryPoint = Recovery(
            waitingObjects: recovery.waiting.objects, waitingBytes: recovery.waiting.bytes,
            oldest: recovery.oldest.map { Format.time($0) },
            ageSeconds: recovery.oldest.map { max(0, report.now - $0) / 1_000_000_000 },
            untimedObjects: recovery.untimed)
        sets = summary.sets.map {
            Sets(
                complete: $0.complete, incomplete: $0.incomplete,
                firstIncomplete: $0.firstIncomplete.map { SetLine($0) },
                newestComplete: $0.newestComplete.map { SetLine($0) })
        }
        sample = summary.sample.map {
            Sample(
                seed: $0.seed, population: $0.population, checked: $0.checked, differing: $0.differing,
                upperBound: $0.upperBound)
        }
        requests = Requests(source: report.sourceRequests.byName, target: report.targetRequests.byName)
        peakBufferBytes = summary.peakBuffers
    }
}

/// Writes newline-delimited JSON for programs.
struct CheckJSONPrinter {
    let console: Console
    let time: any Timekeeper
    var pair: String?

    func write(_ finding: CheckFinding) {
        let code = finding.verdict.code
        var line = CheckJSONEvent(event: code.event, time: now)
        line.key = finding.key.text
        if finding.key.utf8 == nil { line.keyBase64 = Base64.encode(finding.key.bytes) }
        line.sourceSize = finding.source?.size
        line.targetSize = finding.target?.size
        line.reason = code.reason
        if case .same(let level) = finding.verdict { line.evidence = level.rawValue }
        if !finding.detail.isEmpty { line.message = finding.detail }
        write(line)
    }

    func notice(_ text: String) {
        var line = CheckJSONEvent(event: "notice", time: now)
        line.message = text
        write(line)
    }

    func finish(_ report: CheckReport) {
        var line = CheckJSONEvent(event: "summary", time: now)
        line.summary = CheckJSONSummary(report)
        write(line)
    }

    private var now: String { Format.time(time.now()) }

    private func write(_ line: CheckJSONEvent) {
        var line = line
        line.pair = pair
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            console.data(String(decoding: try encoder.encode(line), as: UTF8.self))
        } catch {
            console.error("an event could not be written as JSON: \(error)")
        }
    }
}
