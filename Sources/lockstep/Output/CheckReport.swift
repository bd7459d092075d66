import Manifests
import ObjectStores
import Replication
import ReplicationModel

/// Everything that the end of a check says, for people and for programs.
struct CheckReport {
    /// Where; for people.
    var source: String
    var target: String
    var summary: CheckSummary
    var hasLedger: Bool
    var isOneWay: Bool
    var sourceRequests: StoreMeter
    var targetRequests: StoreMeter
    /// Nanoseconds.
    var elapsed: Int64
    /// Nanoseconds since 1970.
    var now: Int64
    /// 130 or 143 when a signal ended the check.
    var exitCode: Int32
    var notices: [String] = []

    /// One line of the table: a class of objects.
    struct Row {
        var name: String
        var tally: ObjectTally
        var detail: String
    }

    var rows: [Row] {
        let counts = summary.counts
        func sum(_ tallies: some Sequence<ObjectTally>) -> ObjectTally {
            tallies.reduce(into: ObjectTally()) {
                $0.objects += $1.objects
                $0.bytes &+= $1.bytes
            }
        }
        func list(_ parts: [(String, ObjectTally)]) -> String {
            parts.map { "\(Format.count($0.1.objects)) \($0.0)" }.joined(separator: ", ")
        }
        return [
            Row(
                name: "same", tally: sum(counts.same.values),
                detail: list(counts.same.sorted { $0.key > $1.key }.map { ($0.key.words, $0.value) })),
            Row(
                name: "differ", tally: sum(counts.differs.values),
                detail: list(
                    counts.differs.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                        ("in \($0.key.rawValue)", $0.value)
                    })),
            Row(name: "only in source", tally: counts.onlyInSource, detail: ""),
            Row(name: "only in target", tally: counts.onlyInTarget, detail: ""),
            Row(
                name: "unproven", tally: sum(counts.unproven.values),
                detail: list(
                    counts.unproven.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key.words, $0.value) })),
        ]
    }

    /// The sentence below the verdict.
    var meaning: String {
        let level = "level \(summary.evidence.rawValue) (\(summary.evidence.words))"
        if let failure = summary.failure { return "The check could not finish: \(failure)" }
        switch summary.verdict {
        case .inSync where summary.counts.sameObjects == 0:
            return isOneWay && summary.counts.ignoredInTarget > 0
                ? "There is nothing at the source: nothing was compared."
                : "Both sides are empty: nothing was compared."
        case .inSync: return "Every object has evidence of \(level) or better."
        case .drift: return "The target does not hold what the source holds."
        case .unproven: return "No difference is known, but not every object has evidence of \(level)."
        }
    }

    var recoveryPoint: String {
        let recovery = summary.recovery
        guard recovery.waiting.objects > 0 else {
            if summary.failure != nil { return "not known: the check did not come to its end" }
            return summary.sample == nil
                ? "nothing is waiting: every source object is verified at the target" : "nothing is known to wait"
        }
        let waiting =
            "\(Format.objects(recovery.waiting.objects)) (\(Format.bytes(recovery.waiting.bytes))) not verified at the target"
        guard let oldest = recovery.oldest else { return waiting + "; the source does not say since when" }
        return
            "\(Format.duration(max(0, now - oldest))): oldest unverified change of \(Format.time(oldest)), \(waiting)"
    }

    var sampleLine: String? {
        guard let sample = summary.sample else { return nil }
        var text =
            "\(Format.count(sample.checked)) of \(Format.objects(sample.population)) checked at level \(summary.evidence.rawValue) (seed \(sample.seed))"
        if let bound = sample.upperBound {
            text +=
                "; no difference found: with 95 % confidence fewer than \(Format.fixed(bound * 100, 4)) % of the objects differ"
        } else if sample.differing > 0 {
            text += "; \(Format.count(sample.differing)) of them differ"
        }
        return text
    }

    var setsLine: String? {
        guard let sets = summary.sets else { return nil }
        var text = "\(Format.count(sets.complete)) complete, \(Format.count(sets.incomplete)) incomplete"
        if let newest = sets.newestComplete {
            text += "; newest complete \(newest.name) of \(Format.time(newest.newest))"
        }
        return text
    }

    /// What people should know about the check as a whole.
    var remarks: [String] {
        var remarks = notices
        let counts = summary.counts
        if counts.hidden > 0 {
            remarks.append(
                "\(Format.objects(counts.hidden)) found by asking for them, although a listing did not show them: made meanwhile, or that listing is faulty"
            )
        }
        if counts.gone > 0 {
            remarks.append("\(Format.objects(counts.gone)) listed or recorded, and on neither side any more")
        }
        if counts.ignoredInTarget > 0 {
            remarks.append(
                "\(Format.objects(counts.ignoredInTarget)) only in the target, which --one-way does not count")
        }
        if counts.filtered > 0 { remarks.append("\(Format.objects(counts.filtered)) left out by filters") }
        if !hasLedger { remarks.append("no ledger of this pair was used") }
        return remarks
    }

    /// The lines for people, the verdict first.
    func lines(_ differences: [CheckFinding], brief: Bool) -> [String] {
        // What ended it is an error, and said as one.
        let meaning = summary.failure == nil ? meaning : "The check could not finish."
        var lines = ["\(summary.verdict.rawValue)  \(ObjectKey(source)) → \(ObjectKey(target))", meaning]
        guard !brief else { return lines }
        for row in rows {
            let count = Format.count(row.tally.objects)
            let bytes = Format.bytes(row.tally.bytes)
            lines.append(
                "  " + row.name.padded(16) + String(repeating: " ", count: max(0, 12 - count.count)) + count
                    + String(repeating: " ", count: max(1, 12 - bytes.count)) + bytes
                    + (row.detail.isEmpty ? "" : "   " + row.detail))
        }
        lines.append("recovery point: " + recoveryPoint)
        if let sampleLine { lines.append("sample: " + sampleLine) }
        if let setsLine { lines.append("artifact sets: " + setsLine) }
        for set in (summary.sets?.firstIncomplete ?? []).prefix(20) {
            lines.append(
                "  incomplete: \(set.name) (\(set.problems) of \(Format.objects(set.objects.objects)) not verified)")
        }
        lines += remarks.map { "note: " + $0 }
        lines.append("requests: source \(Self.text(sourceRequests)); target \(Self.text(targetRequests))")
        lines.append("took \(Format.duration(elapsed))")
        lines += differences.map { $0.line }
        let rest = summary.counts.differences + summary.counts.unprovenObjects - differences.count
        if rest > 0, !differences.isEmpty {
            lines.append("… and \(Format.count(rest)) more (--verbose names all, --combined FILE keeps them)")
        }
        return lines
    }

    private static func text(_ meter: StoreMeter) -> String {
        guard !meter.requests.isEmpty else { return "none" }
        return StoreOperation.allCases.compactMap { operation in
            meter.requests[operation].map { "\(operation.rawValue) \(Format.count($0))" }
        }.joined(separator: ", ")
    }
}

extension EvidenceLevel {
    var words: String {
        switch self {
        case .none: "none"
        case .recorded: "recorded"
        case .reported: "reported"
        case .reread: "re-read"
        }
    }
}

extension KeyVerdict.Doubt {
    var words: String {
        switch self {
        case .nothingToCompare: "without a checksum in common"
        case .changing: "changing"
        case .unsampled: "not in the sample"
        case .forbidden: "forbidden"
        case .archived: "archived"
        case .unreadable: "unreadable"
        case .unlistable: "not an object"
        case .missing: "on neither side"
        }
    }
}

extension KeyVerdict {
    /// A stable word, and the reason where there is one.
    var code: (event: String, reason: String?) {
        switch self {
        case .same: ("same", nil)
        case .differs(let difference): ("differs", difference.rawValue)
        case .onlyInSource: ("only-in-source", nil)
        case .onlyInTarget: ("only-in-target", nil)
        case .unproven(let doubt): ("unproven", doubt.rawValue)
        case .gone: ("gone", nil)
        }
    }
}

extension CheckFinding {
    /// For people: mark, key, what is wrong.
    var line: String {
        let words =
            switch verdict {
            case .same(let level): "same (\(level.words))"
            case .differs(let difference): "differs in \(difference.rawValue)"
            case .onlyInSource: "only in source"
            case .onlyInTarget: "only in target"
            case .unproven(let doubt): "unproven: \(doubt.words)"
            case .gone: "gone"
            }
        return "\(verdict.mark?.rawValue ?? " ") \(key)\t\(words)" + (detail.isEmpty ? "" : "; \(detail)")
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
