package import Cryptography
package import ReplicationModel

/// A page as its head lists it.
package struct PublishedPage: Sendable, Hashable {
    /// SHA-256 of the page's file, which is also its name.
    package var digest: [UInt8]
    package var rows: Int
    /// Bytes of the file.
    package var fileBytes: Int
    /// Bytes of the rows before compression.
    package var contentBytes: Int
    package var firstKey: ObjectKey
    package var lastKey: ObjectKey

    package init(
        digest: [UInt8], rows: Int, fileBytes: Int, contentBytes: Int, firstKey: ObjectKey, lastKey: ObjectKey
    ) {
        self.digest = digest
        self.rows = rows
        self.fileBytes = fileBytes
        self.contentBytes = contentBytes
        self.firstKey = firstKey
        self.lastKey = lastKey
    }

    var key: ObjectKey { ManifestFormat.pageKey(digest) }
}

/// What the rows of a manifest add up to.
package struct ManifestTotals: Sendable, Hashable {
    package var rows: Int64 = 0
    /// Sum of the objects' sizes.
    package var bytes: Int64 = 0
    /// Rows by level of evidence, from 0 to 3.
    package var evidence: [Int64] = [0, 0, 0, 0]

    package init() {}

    /// False when the sum of the sizes exceeds 63 bits.
    mutating func add(size: Int64, evidence level: Int) -> Bool {
        rows += 1
        evidence[level] += 1
        let (sum, isTooLarge) = bytes.addingReportingOverflow(size)
        bytes = sum
        return !isTooLarge
    }
}

/// What a head says: which pages make up the manifest, of which pair, after which other head.
package struct PublishedHead: Sendable, Hashable {
    /// From 1, without gaps.
    package var sequence: Int64
    /// SHA-256 of the file of the head before; nil for the first.
    package var previous: [UInt8]?
    /// Seconds since 1970.
    package var createdAt: Int64
    /// Both locations with their endpoints.
    package var source: String
    package var target: String
    package var totals: ManifestTotals
    /// Of the pages' digests, in order.
    package var merkleRoot: [UInt8]
    package var publicKey: Ed25519PublicKey
    package var pages: [PublishedPage]

    package init(
        sequence: Int64, previous: [UInt8]?, createdAt: Int64, source: String, target: String, totals: ManifestTotals,
        publicKey: Ed25519PublicKey, pages: [PublishedPage]
    ) {
        self.sequence = sequence
        self.previous = previous
        self.createdAt = createdAt
        self.source = source
        self.target = target
        self.totals = totals
        self.merkleRoot = MerkleTree.root(of: pages.map(\.digest))
        self.publicKey = publicKey
        self.pages = pages
    }
}

/// Which head was the newest when somebody last looked: what makes a rolled-back manifest show.
package struct PublishedHeadAnchor: Sendable, Hashable {
    package var sequence: Int64
    /// SHA-256 of the head's file.
    package var digest: [UInt8]

    package init(sequence: Int64, digest: [UInt8]) {
        self.sequence = sequence
        self.digest = digest
    }
}
