package import Manifests
package import ObjectStores
package import ReplicationModel

/// The answer of a whole check.
package enum CheckVerdict: String, Sendable {
    /// Every key has evidence of the level asked for, or better.
    case inSync = "IN_SYNC"
    /// At least one key is known to differ.
    case drift = "DRIFT"
    /// No difference is known, and not every key could be proven equal.
    case unproven = "UNPROVEN"
}

/// What is known of one key.
package enum KeyVerdict: Sendable, Hashable {
    package enum Difference: String, Sendable {
        case size, content, attributes
    }

    /// Why nothing is known.
    package enum Doubt: String, Sendable {
        /// Neither side reports a checksum that the other has, and reading is off.
        case nothingToCompare = "nothing-to-compare"
        /// Replaced again and again while it was looked at.
        case changing
        /// Outside the sample, and the ledger does not vouch for it.
        case unsampled
        /// The credentials may not look at it.
        case forbidden
        /// Must be restored from an archive tier before it can be read.
        case archived
        /// The store failed or answered nonsense, also when it was asked again.
        case unreadable
        /// A name that the store shows and cannot offer as an object.
        case unlistable
        /// Named by the caller, and neither side has it.
        case missing

        /// Whether a side could not be looked at, rather than there being nothing to compare by.
        package var isFailure: Bool {
            switch self {
            case .nothingToCompare, .changing, .unsampled, .missing: false
            case .forbidden, .archived, .unreadable, .unlistable: true
            }
        }
    }

    case same(EvidenceLevel)
    case differs(Difference)
    case onlyInSource
    case onlyInTarget
    case unproven(Doubt)
    /// Listed or recorded, and on neither side any more: counts for nothing.
    case gone

    package var isDifference: Bool {
        switch self {
        case .differs, .onlyInSource, .onlyInTarget: true
        case .same, .unproven, .gone: false
        }
    }
}

/// One key with its verdict, and what it is based on.
package struct CheckFinding: Sendable {
    package var key: ObjectKey
    package var verdict: KeyVerdict
    /// As last seen; nil when the side does not have it.
    package var source: ListedObject?
    package var target: ListedObject?
    /// For people: what exactly differs, or why nothing is known. May be empty.
    package var detail: String
    /// Whether the key was checked at the level asked for; false outside a sample.
    package var isSampled = true
    /// Found by asking for it, although a listing did not show it.
    package var isHidden = false

    /// Bytes of the object, at the source where that has it.
    package var size: Int64 { source?.size ?? target?.size ?? 0 }
}

/// Told about every key, one at a time and in key order but for names that are no objects. Must be quick: the check waits for it.
package protocol CheckObserver: Sendable {
    func handle(_ finding: CheckFinding)
}
