import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel

/// One line of `--json`. The schema's version is in every line; a field is never given another meaning, new ones may come.
struct JSONEvent: Encodable {
    static let currentSchema = "lockstep.sync/1"

    var schema = JSONEvent.currentSchema
    var event: String
    var time: String
    /// The pair of the configuration that it is about.
    var pair: String?
    /// The key; bytes that are not UTF-8 are replaced, and the exact bytes are then in `keyBase64`.
    var key: String?
    var keyBase64: String?
    var size: Int64?
    /// Why a key is copied or skipped, as a stable word.
    var reason: String?
    var evidence: Int?
    var backup: String?
    var message: String?
    var names: [String]?
    /// Of a run that came to no summary.
    var exitCode: Int32?
    var summary: JSONSummary?

    init(_ event: String, time: Int64, key: ObjectKey? = nil) {
        self.event = event
        self.time = Format.time(time)
        self.key = key?.text
        if let key, key.utf8 == nil { keyBase64 = Data(key.bytes).base64EncodedString() }
    }
}

/// The last line: how the run ended.
struct JSONSummary: Encodable {
    struct Requests: Encodable {
        var source: [String: Int]
        var target: [String: Int]
        var control: [String: Int]?
    }

    struct Manifest: Encodable {
        var sequence: Int64
        var rows: Int64
        var pages: Int
        var newPages: Int
        var sentBytes: Int64
    }

    var exitCode: Int32
    var stopped: String?
    var error: String?
    var seconds: Double
    var copiedObjects: Int
    var copiedBytes: Int64
    var sentBytes: Int64
    var resumedBytes: Int64
    /// Copied inside the target instead of sent.
    var avoidedBytes: Int64
    var leftObjects: Int
    var leftBytes: Int64
    var listed: Bool
    var plannedObjects: Int
    var plannedBytes: Int64
    var unchangedObjects: Int
    var unchangedBytes: Int64
    var adoptedObjects: Int
    var deletedObjects: Int
    var deleteCandidates: Int
    var extraneousObjects: Int
    var skippedObjects: Int
    var conflicts: Int
    var heldPointers: Int
    var vanishedObjects: Int
    var failedObjects: Int
    var filteredObjects: Int
    var sourceObjects: Int
    var sourceBytes: Int64
    var targetObjects: Int
    var peakBufferBytes: Int
    var dryRun: Bool
    var requests: Requests
    var manifest: Manifest?
    var manifestError: String?
    var vault: VaultReport?

    init(_ report: RunReport) {
        let counts = report.summary.counts
        exitCode = report.exitCode
        stopped = report.stopName
        error = report.summary.failure?.description
        seconds = Double(report.elapsed / 1_000_000) / 1000
        copiedObjects = counts.copiedObjects
        copiedBytes = counts.copiedBytes
        sentBytes = counts.sentBytes
        resumedBytes = counts.resumedBytes
        avoidedBytes = counts.avoidedBytes
        leftObjects = counts.leftObjects
        leftBytes = counts.leftBytes
        listed = report.summary.isListed
        plannedObjects = counts.plannedObjects
        plannedBytes = counts.plannedBytes
        unchangedObjects = counts.unchangedObjects
        unchangedBytes = counts.unchangedBytes
        adoptedObjects = counts.adoptedObjects
        deletedObjects = counts.deletedObjects
        deleteCandidates = counts.deleteCandidates
        extraneousObjects = counts.extraneousObjects
        skippedObjects = counts.skippedObjects
        conflicts = counts.conflicts
        heldPointers = counts.heldPointers
        vanishedObjects = counts.vanishedObjects
        failedObjects = counts.failedObjects
        filteredObjects = counts.filteredObjects
        sourceObjects = counts.sourceObjects
        sourceBytes = counts.sourceBytes
        targetObjects = counts.targetObjects
        peakBufferBytes = report.summary.peakBuffers
        dryRun = report.dryRun
        requests = Requests(
            source: report.source.byName, target: report.target.byName, control: report.control?.byName)
        manifest = report.publication.map {
            Manifest(
                sequence: $0.head.sequence, rows: $0.head.totals.rows, pages: $0.head.pages.count,
                newPages: $0.newPages, sentBytes: $0.sentBytes)
        }
        manifestError = report.manifestFailure
        vault = report.vault
    }
}

extension StoreMeter {
    var byName: [String: Int] {
        Dictionary(uniqueKeysWithValues: requests.map { ($0.key.rawValue, $0.value) })
    }
}

/// Writes newline-delimited JSON for programs.
struct JSONPrinter: ReplicationObserver {
    let console: Console
    let time: any Timekeeper
    var pair: String?

    func handle(_ event: ReplicationEvent) {
        write(line(event))
    }

    /// A run of a pair that ended before there was anything to sum up.
    func fail(_ failure: CommandFailure, exitCode: Int32) {
        var last = JSONEvent("error", time: time.now())
        last.message = failure.description
        last.exitCode = exitCode
        write(last)
    }

    func finish(_ report: RunReport) {
        var last = JSONEvent("summary", time: time.now())
        last.summary = JSONSummary(report)
        write(last)
    }

    private func line(_ event: ReplicationEvent) -> JSONEvent {
        func make(_ name: String, _ key: ObjectKey?, _ fill: (inout JSONEvent) -> Void) -> JSONEvent {
            var line = JSONEvent(name, time: time.now(), key: key)
            fill(&line)
            return line
        }
        return switch event {
        case .copied(let key, let size, let reason, let evidence):
            make("copied", key) {
                $0.size = size
                $0.reason = reason.rawValue
                $0.evidence = evidence.rawValue
            }
        case .adopted(let key, let size, let evidence):
            make("adopted", key) {
                $0.size = size
                $0.evidence = evidence.rawValue
            }
        case .deleted(let key, let size, let backup):
            make("deleted", key) {
                $0.size = size
                $0.backup = backup?.text
            }
        case .wouldCopy(let key, let size, let reason):
            make("would-copy", key) {
                $0.size = size
                $0.reason = reason.rawValue
            }
        case .wouldDelete(let key, let size): make("would-delete", key) { $0.size = size }
        case .skipped(let key, let reason):
            make("skipped", key) {
                $0.reason = reason.code
                $0.message = reason.advice
            }
        case .failed(let key, let failure): make("failed", key) { $0.message = failure.description }
        case .attributesDropped(let key, let names): make("attributes-dropped", key) { $0.names = names }
        case .notice(let text): make("notice", nil) { $0.message = text }
        }
    }

    private func write(_ line: JSONEvent) {
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
