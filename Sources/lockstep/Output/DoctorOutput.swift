import Foundation
import ObjectStores
import Replication
import ReplicationModel

/// The doctor's findings, a line each, as soon as they are made; for people or as JSON.
struct DoctorOutput: Sendable {
    let console: Console
    let time: any Timekeeper
    let place: ObjectLocation
    let pair: PlaceExamination.Pair?
    let isJSON: Bool

    /// What is known in the end.
    struct Summary {
        var report: DoctorReport
        /// What the store found out about its server.
        var learned: [String]
        var meter: StoreMeter
        var traffic: ObservedTransport.Traffic
        /// Nanoseconds.
        var elapsed: Int64

        /// Of directories there are calls, no requests.
        var requests: Int { traffic.requests > 0 ? traffic.requests : meter.requests.values.reduce(0, +) }
        var sentBytes: Int64 { traffic.requests > 0 ? traffic.sentBytes : meter.bytesWritten }
        var receivedBytes: Int64 { traffic.requests > 0 ? traffic.receivedBytes : meter.bytesRead }
    }

    func begin(_ purpose: String, readOnly: Bool) {
        guard !isJSON else { return }
        let name = pair.map { "\($0.name), \($0.side): " } ?? ""
        console.data("\(name)\(place) as a \(purpose)\(readOnly ? ", without writing" : "")")
        console.data("")
    }

    func tell(_ finding: DoctorFinding) {
        guard !isJSON else { return write(line(finding)) }
        let mark = finding.mark == .failure ? "FAIL" : finding.mark.rawValue
        var text = "  " + pad(mark, 12) + pad(finding.subject, 22) + finding.found
        if !finding.engine.isEmpty { text += "; " + finding.engine }
        if let permissions = permissions(finding) { text += "; needed: " + permissions.joined(separator: ", ") }
        console.data(text)
    }

    /// The rights that are missing, in the words of the place's cloud.
    private func permissions(_ finding: DoctorFinding) -> [String]? {
        guard let operation = finding.operation else { return nil }
        let permissions = Policy.permissions(operation, in: place.service)
        return permissions.isEmpty ? nil : permissions
    }

    func finish(_ summary: Summary, exitCode: Int32) {
        guard !isJSON else { return write(line(summary, exitCode)) }
        for note in summary.learned { console.data("  " + pad("server", 12) + note) }
        for left in summary.report.leftBehind { console.warn("not removed: \(left.name): \(left.reason)") }
        console.data("")
        console.data(
            "\(sentence(summary.report)) \(Format.count(summary.requests)) "
                + "\(summary.traffic.requests > 0 ? "requests" : "calls"), \(Format.bytes(summary.sentBytes)) sent, "
                + "\(Format.bytes(summary.receivedBytes)) received, \(Format.duration(summary.elapsed)).")
        if pair != nil { console.data("") }
    }

    private func sentence(_ report: DoctorReport) -> String {
        switch report.verdict {
        case .usable: "Usable as it is."
        case .restricted: "Usable; the lines that are not ok say what to know."
        case .unsafe: "Not safe to use: see what FAILs."
        case .denied where place.service == .file: "Not usable by this user: see what is denied."
        case .denied: "Not usable with these credentials, or not there: see what is denied."
        case .unavailable: report.wasCancelled ? "Interrupted: nothing is proven." : "It could not be asked: try again."
        }
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    // MARK: JSON

    /// One line of `doctor --json`. The schema's version is in every line; a field is never given another meaning, new ones may come.
    private struct Line: Encodable {
        var schema = "lockstep.doctor/1"
        var event: String
        var time: String
        var pair: String?
        var side: String?
        var mark: String?
        var subject: String?
        var found: String?
        var engine: String?
        var operation: String?
        var permissions: [String]?
        var summary: SummaryLine?
    }

    private struct SummaryLine: Encodable {
        struct Left: Encodable {
            var name: String
            var reason: String
        }

        var location: String
        var verdict: String
        var exitCode: Int32
        var marks: [String: Int]
        var server: [String]
        var leftBehind: [Left]
        var requests: Int
        var calls: [String: Int]
        var sentBytes: Int64
        var receivedBytes: Int64
        var seconds: Double
    }

    private func line(_ finding: DoctorFinding) -> Line {
        Line(
            event: "finding", time: Format.time(time.now()), pair: pair?.name, side: pair?.side,
            mark: finding.mark.rawValue, subject: finding.subject,
            found: finding.found, engine: finding.engine.isEmpty ? nil : finding.engine,
            operation: finding.operation?.rawValue, permissions: permissions(finding))
    }

    private func line(_ summary: Summary, _ exitCode: Int32) -> Line {
        let marks = Dictionary(grouping: summary.report.findings, by: \.mark.rawValue).mapValues(\.count)
        return Line(
            event: "summary", time: Format.time(time.now()), pair: pair?.name, side: pair?.side,
            summary: SummaryLine(
                location: "\(place)", verdict: summary.report.verdict.rawValue, exitCode: exitCode, marks: marks,
                server: summary.learned,
                leftBehind: summary.report.leftBehind.map { SummaryLine.Left(name: $0.name, reason: $0.reason) },
                requests: summary.requests, calls: summary.meter.byName, sentBytes: summary.sentBytes,
                receivedBytes: summary.receivedBytes, seconds: Double(summary.elapsed / 1_000_000) / 1000))
    }

    private func write(_ line: Line) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            console.data(String(decoding: try encoder.encode(line), as: UTF8.self))
        } catch {
            console.error("a finding could not be written as JSON: \(error)")
        }
    }
}
