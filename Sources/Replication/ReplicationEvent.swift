package import Manifests
import ObjectStores
package import ReplicationModel

/// Why an object is copied.
package enum CopyReason: String, Sendable {
    /// The target has no object of that key.
    case new
    /// The source's version is not the one that the ledger recorded.
    case changed
    /// Both are there, the ledger knows neither, and they differ or cannot be compared.
    case differs
    /// The ledger recorded a copy that the target no longer has.
    case missing
    /// Somebody changed the target's object, and `--on-conflict replace` is given.
    case conflict
}

/// Why a key is left as it is.
package enum SkipReason: Sendable, Hashable {
    /// Must be restored first; the tier.
    case archived(String)
    /// The target cannot hold this key; why.
    case invalidKey(String)
    /// The target cannot hold an object of this size.
    case tooLarge(limit: Int64)
    /// Somebody changed or replaced the target's object after the ledger recorded it.
    case conflict
    /// The source store shows a name that is not an object.
    case unlistable(String)
    /// Asked for by its key, and the source does not have it.
    case missing
    /// Gone from the source before it could be read.
    case vanished
    /// Not deleted: the source has the object, although its listing did not show it.
    case deletionHeldBack
    /// A pointer whose set is not complete at the target; why.
    case setIncomplete(String)
}

/// What a run tells while it goes. Observers must be quick: they are called on the transfer's own task.
package enum ReplicationEvent: Sendable {
    case copied(ObjectKey, size: Int64, reason: CopyReason, evidence: EvidenceLevel)
    /// Found equal without copying; now in the ledger.
    case adopted(ObjectKey, size: Int64, evidence: EvidenceLevel)
    case deleted(ObjectKey, size: Int64, backup: ObjectKey?)
    /// Dry run: would be copied.
    case wouldCopy(ObjectKey, size: Int64, reason: CopyReason)
    /// Dry run: would be deleted.
    case wouldDelete(ObjectKey, size: Int64)
    case skipped(ObjectKey, SkipReason)
    case failed(ObjectKey, TransferFailure)
    /// Attributes that the target cannot hold.
    case attributesDropped(ObjectKey, names: [String])
    /// Something that people should know about the run as a whole.
    case notice(String)
}

package protocol ReplicationObserver: Sendable {
    func handle(_ event: ReplicationEvent)
}

/// An observer that listens to nothing.
package struct SilentObserver: ReplicationObserver {
    package init() {}
    package func handle(_ event: ReplicationEvent) {}
}
