import Manifests
import ObjectStores
import Replication

/// Everything that the end of a run says, for people and for programs.
struct RunReport {
    var summary: RunSummary
    /// nil when the ledger has not changed, or no manifest is wanted.
    var publication: ManifestPublisher.Publication?
    /// Why the manifest was not published.
    var manifestFailure: String?
    var source: StoreMeter
    var target: StoreMeter
    /// Requests to the place of the manifest.
    var control: StoreMeter?
    /// What became of a target in a vault.
    var vault: VaultReport?
    /// Nanoseconds.
    var elapsed: Int64
    var dryRun: Bool
    /// The run's time was up because a window without runs began.
    var windowBegan = false
    /// 130 or 143 when a signal ended the run.
    var exitCode: Int32

    var stopName: String? {
        switch summary.stop {
        case nil: nil
        case .maxTransfer: "max-transfer"
        case .maxDuration: windowBegan ? "window" : "max-duration"
        case .interrupted: "interrupted"
        }
    }

    /// The lines for people.
    var lines: [String] {
        let counts = summary.counts
        var lines: [String] = []
        let verb = dryRun ? "would copy" : "copied"
        let objects = dryRun ? counts.plannedObjects : counts.copiedObjects
        let bytes = dryRun ? counts.plannedBytes : counts.copiedBytes
        var first = "\(verb) \(Format.objects(objects)) (\(Format.bytes(bytes))) in \(Format.duration(elapsed))"
        if bytes > 0, !dryRun { first += ", \(Format.rate(bytes, elapsed))" }
        lines.append(first)
        var rest = ["\(Format.count(counts.unchangedObjects)) unchanged"]
        func add(_ number: Int, _ word: String) {
            if number > 0 { rest.append("\(Format.count(number)) \(word)") }
        }
        add(counts.adoptedObjects, "found equal")
        add(dryRun ? counts.deleteCandidates : counts.deletedObjects, dryRun ? "would be deleted" : "deleted")
        add(counts.extraneousObjects, "only at the target (--delete removes them)")
        add(counts.filteredObjects, "left out by filters")
        add(counts.vanishedObjects, "gone from the source meanwhile")
        add(counts.skippedObjects - counts.heldPointers, "skipped")
        add(counts.heldPointers, counts.heldPointers == 1 ? "pointer held back" : "pointers held back")
        add(counts.failedObjects, "failed")
        lines.append(rest.joined(separator: ", "))
        if counts.resumedBytes > 0 {
            lines.append("continued uploads of earlier runs: \(Format.bytes(counts.resumedBytes)) were there already")
        }
        if counts.avoidedBytes > 0 {
            lines.append("copied inside the target instead of sent: \(Format.bytes(counts.avoidedBytes))")
        }
        if let head = publication?.head {
            lines.append("manifest \(head.sequence) published: \(Format.objects(Int(head.totals.rows)))")
        }
        if let vault { lines += vault.lines }
        lines.append("requests: source \(Self.text(source)); target \(Self.text(target))")
        if let left = leftText { lines.append(left) }
        switch summary.stop {
        case .maxTransfer: lines.append("stopped at --max-transfer; the next run goes on")
        case .maxDuration where windowBegan:
            lines.append("stopped where a window without runs begins; the next run goes on")
        case .maxDuration: lines.append("stopped at --max-duration; the next run goes on")
        case .interrupted: lines.append("interrupted; the next run goes on")
        case nil: break
        }
        return lines
    }

    /// What a run that ended early leaves to the next one.
    private var leftText: String? {
        guard summary.stop != nil || summary.failure != nil, !dryRun else { return nil }
        let counts = summary.counts
        let known = "left: \(Format.objects(counts.leftObjects)) (\(Format.bytes(counts.leftBytes)))"
        return summary.isListed ? known : known + " and what was not listed any more"
    }

    private static func text(_ meter: StoreMeter) -> String {
        guard !meter.requests.isEmpty else { return "none" }
        return StoreOperation.allCases.compactMap { operation in
            meter.requests[operation].map { "\(operation.rawValue) \(Format.count($0))" }
        }.joined(separator: ", ")
    }
}
