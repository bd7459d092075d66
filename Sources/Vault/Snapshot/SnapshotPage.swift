package import ReplicationModel

/// One page of a snapshot, decoded: entries of objects at level 0, and above it the pages of the level below.
///
/// The payload (integers little-endian; `n`: LEB128, see `PageScanner`):
///
///     "LSPAGE01" ‖ level u8 ‖ 3 zero ‖ count u32 ‖ as many items, keys strictly rising
///
/// Each item begins with its key: n bytes shared with the key before it in the page, as many as can be (none in the first) ‖ n bytes
/// that follow ‖ these bytes.
///
/// An entry goes on with: size n ‖ modified i64 ‖ crc32c u32 ‖ crc64nvme u64 ‖ blake3 (32 bytes) ‖ attributes n ‖ kind of content u8
/// (0: the object's chunks, 1: a list that is cut into chunks) ‖ count n ‖ as many times: chunk id (32 bytes), plain length u32.
/// The attributes are the number of their text among the page's texts, from 0 in the order of their first use; a number not used before is
/// followed by the text: length n ‖ JSON as in `AttributesText`. The lengths of an object's chunks add up to its size, those of a list's
/// chunks to a multiple of 36.
///
/// A child goes on with: session (base u64 big-endian ‖ 8 random bytes) ‖ id (16 bytes) ‖ bytes of the sealed page u32 ‖ objects
/// below n ‖ plain bytes below n. Its key is the least key below it.
///
/// Where a page ends: see `PageEncoder.isComplete`.
package enum SnapshotPage: Sendable, Hashable {
    case entries([VaultEntry])
    /// `level`: from 1.
    case children(level: Int, [PageChild])

    package var level: Int {
        switch self {
        case .entries: 0
        case .children(let level, _): level
        }
    }

    package static let magic = Array("LSPAGE01".utf8)
    /// The bits of BLAKE3 that decide on borders are of byte `level`.
    package static let maxLevel = 31
    /// Bytes of a key.
    package static let maxKeyLength = 65_535
    /// Bytes of a payload. An entry has a page of its own when its chunks are many; who writes entries keeps them in lists long before.
    package static let maxPayload = 16 << 20
    static let headerLength = 16
    static let chunkLength = 36
}

/// A page of the level below.
package struct PageChild: Hashable, Sendable {
    /// The least key below.
    package var firstKey: ObjectKey
    package var reference: PageReference
    /// Objects below.
    package var objects: Int
    /// Plain bytes of all objects below.
    package var bytes: Int64

    package init(firstKey: ObjectKey, reference: PageReference, objects: Int, bytes: Int64) {
        self.firstKey = firstKey
        self.reference = reference
        self.objects = objects
        self.bytes = bytes
    }
}

extension SnapshotPage {
    /// What a parent would say of the page.
    func child(_ reference: PageReference) -> PageChild {
        switch self {
        case .entries(let entries):
            PageChild(
                firstKey: entries[0].key, reference: reference, objects: entries.count,
                bytes: entries.reduce(0) { $0 + $1.size })
        case .children(_, let children):
            PageChild(
                firstKey: children[0].firstKey, reference: reference, objects: children.reduce(0) { $0 + $1.objects },
                bytes: children.reduce(0) { $0 + $1.bytes })
        }
    }
}
