package import ReplicationModel

/// How equality of source and target is known (the page "How equality is known").
package enum EvidenceLevel: Int, Sendable, Codable, Comparable {
    case none = 0
    /// Both version tokens are unchanged since level 2 or 3 was recorded.
    case recorded = 1
    /// Both stores reported equal whole-object checksums, or the target verified and reported the checksum of the bytes read.
    case reported = 2
    /// The bytes of both sides were read and their digests are equal.
    case reread = 3

    package static func < (a: EvidenceLevel, b: EvidenceLevel) -> Bool { a.rawValue < b.rawValue }
}

/// One replicated key: the pair of versions that were proven equal, and how.
package struct LedgerRow: Sendable, Hashable {
    package var key: ObjectKey
    package var sourceVersion: VersionToken
    /// Source modification time that the listing showed, nanoseconds since 1970.
    package var sourceModified: Int64
    package var targetVersion: VersionToken
    /// Bytes.
    package var size: Int64
    /// Digests of the content; all that are known.
    package var checksums: ObjectChecksums
    package var evidence: EvidenceLevel
    /// When the evidence was obtained, seconds since 1970.
    package var verifiedAt: Int64
    /// What travels with the bytes, as the target holds it without this program's own marks; nil when nobody has looked.
    package var attributes: EncodedAttributes?

    package init(
        key: ObjectKey, sourceVersion: VersionToken, sourceModified: Int64, targetVersion: VersionToken, size: Int64,
        checksums: ObjectChecksums, evidence: EvidenceLevel, verifiedAt: Int64, attributes: EncodedAttributes? = nil,
        blake3: [UInt8]? = nil
    ) {
        var checksums = checksums
        checksums.blake3 = blake3 ?? checksums.blake3
        self.key = key
        self.sourceVersion = sourceVersion
        self.sourceModified = sourceModified
        self.targetVersion = targetVersion
        self.size = size
        self.checksums = checksums
        self.evidence = evidence
        self.verifiedAt = verifiedAt
        self.attributes = attributes
    }

    /// BLAKE3 of the whole content, 32 bytes, where it was computed anyway. One of the checksums.
    package var blake3: [UInt8]? {
        get { checksums.blake3 }
        set { checksums.blake3 = newValue }
    }
}
