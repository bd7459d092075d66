import ObjectStores
import Replication

/// Shows how far a check is: one line that is redrawn on a terminal, a line a minute elsewhere.
struct CheckProgress {
    let console: Console
    let checker: Checker
    let time: any Timekeeper

    /// Runs until its task is cancelled; takes the line away at the end.
    func run() async {
        let interval = console.isTerminal ? ProgressReporter.barInterval : ProgressReporter.lineInterval
        while !Task.isCancelled {
            do { try await time.sleep(for: interval) } catch { break }
            if console.isTerminal { console.drawBar(String(line.prefix(console.width - 1))) } else { console.say(line) }
        }
        if console.isTerminal { console.drawBar("") }
    }

    private var line: String {
        let counts = checker.counts
        var text = "\(Format.count(counts.sameObjects)) same"
        if counts.differences > 0 { text += ", \(Format.count(counts.differences)) different" }
        if counts.unprovenObjects > 0 { text += ", \(Format.count(counts.unprovenObjects)) unproven" }
        return "checked \(Format.objects(max(counts.source.objects, counts.target.objects))): " + text
    }
}
