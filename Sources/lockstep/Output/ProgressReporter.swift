import ObjectStores
import Replication

/// Shows how far a run is: a bar on a terminal, a line a minute elsewhere.
struct ProgressReporter {
    static let barInterval = Duration.milliseconds(250)
    static let lineInterval = Duration.seconds(60)

    let console: Console
    let progress: RunProgress
    let time: any Timekeeper

    /// Runs until its task is cancelled; takes the bar away at the end.
    func run() async {
        let started = time.monotonic()
        let interval = console.isTerminal ? Self.barInterval : Self.lineInterval
        while !Task.isCancelled {
            do { try await time.sleep(for: interval) } catch { break }
            let line = line(elapsed: time.monotonic() - started)
            if console.isTerminal { console.drawBar(String(line.prefix(console.width - 1))) } else { console.say(line) }
        }
        if console.isTerminal { console.drawBar("") }
    }

    private func line(elapsed: Int64) -> String {
        let counts = progress.counts
        let listed = progress.isListed
        let done = counts.copiedObjects + counts.failedObjects
        let arrived = counts.arrivedBytes
        var text = ""
        if console.isTerminal {
            let share = listed && counts.plannedBytes > 0 ? Double(arrived) / Double(counts.plannedBytes) : 0
            let filled = min(20, Int(share * 20))
            text += "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: 20 - filled) + "] "
        }
        text += "\(Format.count(done))/\(Format.count(counts.plannedObjects))\(listed ? "" : "+") objects, "
        text +=
            "\(Format.bytes(arrived))/\(Format.bytes(counts.plannedBytes)), \(Format.rate(counts.sentBytes, elapsed))"
        // What people look for first comes first: a narrow terminal cuts the rest off.
        if listed, arrived > 0, counts.plannedBytes > arrived {
            let left = Double(counts.plannedBytes - arrived) / Double(arrived) * Double(elapsed)
            text += ", \(Format.duration(Int64(left))) left"
        } else if !listed {
            text += ", listing \(Format.count(counts.sourceObjects))"
        }
        if counts.failedObjects > 0 { text += ", \(Format.count(counts.failedObjects)) failed" }
        if counts.unchangedObjects > 0 { text += ", \(Format.count(counts.unchangedObjects)) unchanged" }
        return text
    }
}
