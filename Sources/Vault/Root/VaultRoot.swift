/// One state of a vault: which index segments count, which snapshots there are, and how far garbage collection has come.
///
/// Sealed JSON under `root/<sequence>`, created only if absent: that is the commit.
package struct VaultRoot: Sendable, Codable, Hashable {
    package var sequence: UInt64
    /// BLAKE3 of the object `root/<sequence - 1>` as stored, hex; empty for the first.
    package var previous: String
    /// Seconds since 1970 by the writer's clock; for people.
    package var time: Int64
    /// Random, of this very attempt to commit: tells one's own root after a lost reply.
    package var nonce: String
    /// Sessions whose base is below it cannot commit any more.
    package var fence: UInt64
    /// All index segments that count.
    package var segments: [SegmentReference]
    /// Oldest first; the last one is the newest state of the objects.
    package var snapshots: [Snapshot]
    package var collection: CollectionState

    package init(
        sequence: UInt64, previous: String, time: Int64, nonce: String, fence: UInt64, segments: [SegmentReference],
        snapshots: [Snapshot], collection: CollectionState
    ) {
        self.sequence = sequence
        self.previous = previous
        self.time = time
        self.nonce = nonce
        self.fence = fence
        self.segments = segments
        self.snapshots = snapshots
        self.collection = collection
    }
}

/// An index segment: `VaultName.index(session, id)`.
package struct SegmentReference: Sendable, Codable, Hashable {
    package var session: SessionName
    /// Hex, 32 digits.
    package var id: String
    package var rows: Int
    /// Bytes of the sealed object.
    package var size: Int64

    package init(session: SessionName, id: String, rows: Int, size: Int64) {
        self.session = session
        self.id = id
        self.rows = rows
        self.size = size
    }

    package var name: String { "\(VaultName.indexPrefix)\(session)/\(id)" }
}

/// The state of all objects after one sync.
package struct Snapshot: Sendable, Codable, Hashable {
    /// The sequence of the root that brought it: what people call it by.
    package var id: UInt64
    /// Seconds since 1970 by the writer's clock.
    package var time: Int64
    /// nil: no objects.
    package var tree: PageReference?
    package var objects: Int
    /// Plain bytes of all objects.
    package var bytes: Int64
    /// What was synced, for people: `s3://models/`; empty when unknown.
    package var source: String
    package var host: String
    /// A run had not come to its end: a checkpoint. Replaced by the next snapshot; readers pass over it.
    package var isPartial: Bool
    /// Of a partial one: the folders whose runs have not come to their end, hex of their keys.
    package var unfinished: [String]?
    /// Objects of the run that failed or were skipped.
    package var failures: Int

    package init(
        id: UInt64, time: Int64, tree: PageReference?, objects: Int, bytes: Int64, source: String, host: String,
        isPartial: Bool, failures: Int, unfinished: [String]? = nil
    ) {
        self.id = id
        self.time = time
        self.tree = tree
        self.objects = objects
        self.bytes = bytes
        self.source = source
        self.host = host
        self.isPartial = isPartial
        self.unfinished = unfinished
        self.failures = failures
    }
}

/// How far garbage collection has come.
package struct CollectionState: Sendable, Codable, Hashable {
    /// Rises with every list of condemned packs.
    package var epoch: UInt64
    /// Condemned in this epoch and still in the index: names of packs, as `pack/…`. Chunks in them do not count as present.
    package var condemned: [String]
    /// When they were condemned, seconds since 1970.
    package var condemnedAt: Int64
    /// Out of the index, about to be deleted: names of objects.
    package var deleting: [String]

    package init(epoch: UInt64 = 0, condemned: [String] = [], condemnedAt: Int64 = 0, deleting: [String] = []) {
        self.epoch = epoch
        self.condemned = condemned
        self.condemnedAt = condemnedAt
        self.deleting = deleting
    }
}
