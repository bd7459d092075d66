package import ReplicationModel

/// What a check of a vault has looked at, and everything that is wrong with it.
package struct VaultCheckReport: Sendable {
    package struct Finding: Sendable, Hashable {
        /// The name in the vault.
        package var object: String
        /// What is wrong with it.
        package var what: String
        /// Objects of snapshots that are affected: the first ones, and how many there are.
        package var keys: [ObjectKey] = []
        package var keyCount = 0
        /// Snapshots that are affected, oldest first.
        package var snapshots: [UInt64] = []

        package init(object: String, what: String) {
            self.object = object
            self.what = what
        }
    }

    /// The first `maxFindings` ones.
    package var findings: [Finding] = []
    package var findingCount = 0
    /// The newest root that was checked; 0 for a check without a key.
    package var root: UInt64 = 0
    package var roots = 0
    package var snapshots = 0
    package var pages = 0
    package var objects = 0
    package var chunks = 0
    package var segments = 0
    package var packs = 0
    /// Whose bytes were all read.
    package var verifiedObjects = 0
    package var verifiedBytes: Int64 = 0
    /// Objects of the vault that the root does not refer to: left by crashes or by garbage collection. No error.
    package var unreferenced = CollectionReport.Amount()
    /// Objects at the vault's location that do not belong to it. No error.
    package var foreign = 0

    package var isSound: Bool { findingCount == 0 }

    package static let maxFindings = 1000
    package static let maxKeys = 20

    package init() {}

    mutating func add(_ finding: Finding) {
        findingCount += 1
        if findings.count < Self.maxFindings { findings.append(finding) }
    }

    mutating func add(_ object: String, _ error: VaultError) {
        add(Finding(object: error.object ?? object, what: error.message))
    }
}

/// How far a check has come.
package struct VaultCheckProgress: Sendable, Hashable {
    package enum Phase: String, Sendable {
        case roots, index, packs, snapshots, objects
    }

    package var phase: Phase
    package var done: Int
    /// nil: not known.
    package var total: Int?
    /// Bytes read in this phase.
    package var bytes: Int64 = 0
}
