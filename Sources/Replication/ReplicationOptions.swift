package import ReplicationModel

/// What a run is asked to do. Everything has a value; the command line fills it from flags.
package struct ReplicationOptions: Sendable {
    /// How an object whose versions the ledger does not know is compared with the one at the target.
    package enum Comparison: Sendable {
        /// By the ledger, then checksums and provenance; what cannot be compared is copied again.
        case versions
        /// Equal size counts as unchanged. Nothing is recorded as proven.
        case sizeOnly
        /// Both stores' checksums are asked for every key now; what they do not report is read on both sides.
        case checksum
    }

    /// What happens to a target object that somebody else changed after the ledger recorded it.
    package enum ConflictPolicy: String, Sendable, CaseIterable {
        case keep, replace
    }

    /// How many deletions one run may do.
    package struct DeleteLimit: Sendable, Hashable {
        /// Objects.
        package var count: Int
        /// Share of the target's objects, 0...100. Counts only above `percentFloor` deletions.
        package var percent: Double
        /// Up to so many deletions are not refused for their share.
        package var percentFloor: Int

        package init(count: Int, percent: Double, percentFloor: Int = 0) {
            self.count = count
            self.percent = percent
            self.percentFloor = percentFloor
        }

        /// Two of five objects are 40 %, and nothing unusual: the share counts for more than ten.
        package static let standard = DeleteLimit(count: 10_000, percent: 25, percentFloor: 10)
    }

    package enum Deletion: Sendable, Hashable {
        case off
        /// Objects are moved under `backupPrefix` of the target first; nil deletes for good, and so does a run into a staged target,
        /// whose older states hold what is deleted.
        case on(limit: DeleteLimit, backupPrefix: ObjectKey?)
    }

    package var comparison: Comparison = .versions
    package var onConflict: ConflictPolicy = .keep
    package var deletion: Deletion = .off
    package var filter = ObjectFilter()
    /// Exactly these keys instead of listings.
    package var keys: [ObjectKey]?
    /// Objects that are written after the sets that they announce; nil: none. Not together with `keys`, which prove no set complete.
    package var sets: ArtifactSets?
    /// Copied whatever the ledger says, replacing what is at the target.
    package var replaced: Set<ObjectKey> = []
    package var dryRun = false
    /// Why nothing may be written where the target has this key and the source has not; nil: no reason.
    package var refusal: (@Sendable (ObjectKey) -> String?)?
    /// Bytes of all buffers, and with them the ceiling of what is in flight.
    package var memory = 128 << 20
    /// Parts and small objects in flight at most.
    package var concurrency = 32
    /// Bytes of a part, unless an object's size or a store's limit asks for more.
    package var partSize: Int64 = 8 << 20
    /// Whether large objects are cut by content, so that what the target holds already is not sent.
    package var delta = false
    /// Where content is cut; the ledger knows nothing that was cut by other limits.
    package var segments = SegmentCutter.Limits.standard
    /// Bytes to copy at most; nil: no limit.
    package var maxTransfer: Int64?
    package var maxDuration: Duration?
    /// Ledger changes that wait for a commit of a staged target before one is asked for.
    package var maxHeldChanges = 100_000
    /// How often a transfer starts again because its source changed or its bytes arrived damaged.
    package var maxRestarts = 3

    package init() {}
}

/// Keys that belong to the program at every location: never replicated, listed or deleted.
package enum ReservedKeys {
    package static let prefix = ObjectKey(".lockstep/")
    /// Where deleted objects are kept: `.lockstep/deleted/<time of the run>/<key>`.
    package static let deletedPrefix = ObjectKey(".lockstep/deleted/")
    package static let probePrefix = ObjectKey(".lockstep/probe/")
    /// Where `lockstep doctor` writes: `.lockstep/doctor/NONCE/`.
    package static let doctorPrefix = ObjectKey(".lockstep/doctor/")

    package static func contains(_ key: ObjectKey) -> Bool { key.hasPrefix(prefix) }
}
