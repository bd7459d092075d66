import ObjectStores
import Replication
import ReplicationModel
import Synchronization

/// Where the answer of a check goes.
struct CheckOutput: Sendable {
    /// A file for a line per key, `-` for standard output.
    var combined: String?
    /// A file for a page.
    var html: String?
    var json = false
    var verbose = false
    var quiet = false
}

/// Sends every finding to where it was asked for, and keeps the first ones for the report.
final class CheckCollector: CheckObserver {
    /// Differences that a table names.
    static let shown = 20
    /// Differences that a page names.
    static let kept = 1000

    private struct State: @unchecked Sendable {
        // Guarded by the mutex around the state, and closed once.
        var combined: ReportFile?
        var first: [CheckFinding] = []
        /// The first failure to write the combined report.
        var failure: CommandFailure?
    }

    private let state: Mutex<State>
    private let output: CheckOutput
    private let console: Console
    private let json: CheckJSONPrinter

    /// - Parameter pair: the pair of the configuration that is checked, in each line for programs.
    init(
        _ output: CheckOutput, pair: String? = nil, console: Console, time: any Timekeeper
    ) throws(CommandFailure) {
        self.output = output
        self.console = console
        json = CheckJSONPrinter(console: console, time: time, pair: pair)
        var combined: ReportFile?
        if let path = output.combined, path != "-" { combined = try ReportFile(path) }
        state = Mutex(State(combined: combined))
    }

    func handle(_ finding: CheckFinding) {
        let isSame = if case .same = finding.verdict { true } else { false }
        state.withLock { state in
            if let mark = finding.verdict.mark {
                if state.combined != nil || output.combined == "-" {
                    write(CombinedLine(mark, finding.key).text, &state)
                }
            }
            if !isSame, state.first.count < Self.kept { state.first.append(finding) }
        }
        if output.json {
            if !isSame || output.verbose { json.write(finding) }
        } else if output.verbose, !isSame {
            if output.combined == "-" { console.say(finding.line) } else { console.data(finding.line) }
        }
    }

    private func write(_ line: String, _ state: inout State) {
        guard let file = state.combined else { return console.data(line) }
        guard state.failure == nil else { return }
        do throws(CommandFailure) { try file.write(line + "\n") } catch { state.failure = error }
    }

    /// Writes the files, then says how it ended. An interrupted check leaves no files.
    func finish(_ report: CheckReport) throws(CommandFailure) {
        let (combined, first, failure) = state.withLock { ($0.combined, $0.first, $0.failure) }
        if report.summary.failure?.code != .cancelled {
            if let failure { throw failure }
            try combined?.finish()
            if let path = output.html {
                let file = try ReportFile(path)
                try file.write(CheckPage(report: report, findings: first).html)
                try file.finish()
            }
        }
        if output.json {
            for notice in report.remarks { json.notice(notice) }
            json.finish(report)
        } else {
            let shown = output.verbose ? [] : Array(first.prefix(Self.shown))
            for line in report.lines(shown, brief: output.quiet) {
                if output.combined == "-" { console.say(line) } else { console.data(line) }
            }
        }
        if let failure = report.summary.failure { console.error(failure.description) }
    }
}
