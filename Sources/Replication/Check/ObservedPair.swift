import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// What a look at one key has seen so far: the listings first, then what the stores say themselves.
struct ObservedPair {
    let key: ObjectKey
    var source: ListedObject?
    var target: ListedObject?
    var row: LedgerRow?
    /// A pinned version turned out to be gone.
    var isStale = false
    private let listedInSource: Bool
    private let listedInTarget: Bool

    /// - Parameter isListed: false when nobody asked the listings, so that they hide nothing.
    init(_ joined: JoinedKey, isListed: Bool) {
        key = joined.key
        source = joined.source
        target = joined.target
        row = joined.row
        listedInSource = joined.source != nil || !isListed
        listedInTarget = joined.target != nil || !isListed
    }

    /// The stores' own word counts, with what a listing said of the same version.
    mutating func see(source here: ListedObject?, target there: ListedObject?) {
        source = here.map { Self.merge($0, source) }
        target = there.map { Self.merge($0, target) }
        isStale = false
    }

    private static func merge(_ seen: ListedObject, _ listed: ListedObject?) -> ListedObject {
        guard let listed, listed.version == seen.version, listed.size == seen.size else { return seen }
        var merged = seen
        merged.checksums = seen.checksums.merging(listed.checksums)
        return merged
    }

    var isHiddenInSource: Bool { source != nil && !listedInSource }
    var isHiddenInTarget: Bool { target != nil && !listedInTarget }

    /// What to say of a listing that does not show a key that is there.
    var listingFault: String {
        switch (isHiddenInSource, isHiddenInTarget) {
        case (true, true): "neither listing shows it"
        case (true, false): "the source's listing does not show it"
        case (false, true): "the target's listing does not show it"
        case (false, false): ""
        }
    }

    func finding(_ verdict: KeyVerdict, _ detail: String) -> CheckFinding {
        CheckFinding(
            key: key, verdict: verdict, source: source, target: target, detail: detail,
            isHidden: isHiddenInSource || isHiddenInTarget)
    }

    /// Could not look. Sizes that differ in the listings are a difference all the same, and so are bytes at the target that fail their own
    /// checksum each time they are read.
    func unproven(by failure: TransferFailure) -> CheckFinding {
        if let source, let target, source.size != target.size {
            return finding(
                .differs(.size), "\(source.size) bytes at the source, \(target.size) at the target, by their listings")
        }
        if failure.side == .target, failure.code == .store(.checksumMismatch) {
            return finding(.differs(.content), failure.description)
        }
        let doubt: KeyVerdict.Doubt =
            switch failure.code {
            case .store(.forbidden): .forbidden
            case .store(.archived): .archived
            default: .unreadable
            }
        return finding(.unproven(doubt), failure.description)
    }
}

/// What two sets of checksums say together.
enum ChecksumComparison {
    case equal, different
    /// Some algorithms agree and some do not: one of the checksums was not computed from the bytes.
    case contradictory
    case nothing
}

extension ObjectChecksums {
    init(_ digest: ContentDigest) {
        self.init(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
    }

    var hasCRC: Bool { crc32c != nil || crc64nvme != nil }

    func comparison(with other: ObjectChecksums) -> ChecksumComparison {
        var equal = 0
        var different = 0
        func count(_ same: Bool?) {
            if let same { if same { equal += 1 } else { different += 1 } }
        }
        count(crc64nvme.flatMap { a in other.crc64nvme.map { a == $0 } })
        count(crc32c.flatMap { a in other.crc32c.map { a == $0 } })
        count(md5.flatMap { a in other.md5.map { a == $0 } })
        count(blake3.flatMap { a in other.blake3.map { a == $0 } })
        if different == 0 { return equal == 0 ? .nothing : .equal }
        return equal == 0 ? .different : .contradictory
    }
}
