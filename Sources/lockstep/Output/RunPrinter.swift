import ObjectStores
import Replication
import ReplicationModel

/// Tells people what a run does: every failed and skipped key with its reason and what to do, and with `--verbose` every object.
struct RunPrinter: ReplicationObserver {
    let console: Console
    let verbose: Bool
    let quiet: Bool

    func handle(_ event: ReplicationEvent) {
        switch event {
        case .copied(let key, let size, let reason, _):
            if verbose { console.data("copied\t\(key)\t\(size)\t\(reason.rawValue)") }
        case .adopted(let key, let size, _):
            if verbose { console.data("same\t\(key)\t\(size)") }
        case .deleted(let key, let size, let backup):
            if verbose { console.data("deleted\t\(key)\t\(size)" + (backup.map { "\tkept as \($0)" } ?? "")) }
        case .wouldCopy(let key, let size, let reason):
            console.data("would copy\t\(key)\t\(size)\t\(reason.rawValue)")
        case .wouldDelete(let key, let size):
            console.data("would delete\t\(key)\t\(size)")
        case .skipped(let key, let reason):
            if reason != .vanished || verbose { console.warn("skipped \(key): \(reason.advice)") }
        case .failed(let key, let failure):
            console.error("\(key): \(failure)")
        case .attributesDropped(let key, let names):
            console.warn("\(key): the target cannot hold \(names.joined(separator: ", "))")
        case .notice(let text):
            if !quiet { console.say(text) }
        }
    }
}

extension SkipReason {
    /// Why, and what to do about it.
    var advice: String {
        switch self {
        case .archived(let tier): "it is in the archive tier \(tier); restore it, then run again"
        case .invalidKey(let problem): "the target cannot hold this key: \(problem)"
        case .tooLarge(let limit): "the target holds objects of at most \(limit) bytes"
        case .conflict:
            "somebody changed it at the target; decide which one is right, then run again with --on-conflict replace or remove it there"
        case .unlistable(let reason): "it is not an object: \(reason)"
        case .missing: "the source has no object of that name"
        case .vanished: "it was deleted from the source before it could be read"
        case .deletionHeldBack: "it was not deleted: the source has it, although its listing did not show it"
        case .setIncomplete(let reason): "held back, so that no reader finds an incomplete set: \(reason)"
        }
    }

    var code: String {
        switch self {
        case .archived: "archived"
        case .invalidKey: "invalid-key"
        case .tooLarge: "too-large"
        case .conflict: "conflict"
        case .unlistable: "unlistable"
        case .missing: "missing"
        case .vanished: "vanished"
        case .deletionHeldBack: "deletion-held-back"
        case .setIncomplete: "set-incomplete"
        }
    }
}
