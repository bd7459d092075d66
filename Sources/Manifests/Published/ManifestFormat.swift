import Cryptography
import Digests
package import ReplicationModel

/// Names and limits of published manifests; the page "Published manifests" is the specification.
package enum ManifestFormat {
    static let name = "lockstep.manifest/1"
    /// Where a control location holds its manifest.
    package static let folder = ObjectKey(".lockstep/manifest/")
    static let heads = ObjectKey("heads/")
    static let pages = ObjectKey("pages/")

    // What a reader accepts; checked before anything is allocated for it.
    static let maxHeadBytes = 32 << 20
    static let maxPages = 65_536
    static let maxPageRows = 65_536
    /// Of a page's file, and of its content.
    static let maxPageBytes = 8 << 20
    static let maxRowBytes = 1 << 20
    static let maxHeads = 65_536
    /// Pages of all heads together, and of runs that died before their head.
    static let maxStoredPages = 1 << 20

    // What the publisher makes.
    /// A page ends before its content grows beyond this: its file stays within `maxPageBytes` even if nothing can be compressed.
    static let fullPageBytes = 7 << 20
    /// No page ends by its content before it has so many rows.
    static let minPageRows = 1024
    /// Then every key ends its page with a probability of 1 : 4096.
    private static let cutMask: UInt64 = 4095

    /// Whether a page ends after this key, by the key alone: rows that come or go move the ends of few pages.
    static func cuts(after key: ObjectKey) -> Bool {
        key.bytes.withUnsafeBytes { XXH3.hash64($0) } & cutMask == 0
    }

    /// `heads/0000000000000042.json`, so that listings give the order.
    static func headKey(_ sequence: Int64) -> ObjectKey {
        let digits = String(sequence)
        return ObjectKey("heads/" + String(repeating: "0", count: 16 - digits.utf8.count) + digits + ".json")
    }

    static let maxSequence: Int64 = 9_999_999_999_999_999

    /// The sequence that a head's name tells, nil for other names.
    static func sequence(of key: ObjectKey) -> Int64? {
        guard let name = key.utf8, let sequence = Int64(name.dropFirst(6).prefix(16)), sequence > 0,
            key == headKey(sequence)
        else { return nil }
        return sequence
    }

    /// `pages/SHA256.jsonl.zst`.
    static func pageKey(_ digest: [UInt8]) -> ObjectKey { ObjectKey("pages/" + Hex.encode(digest) + ".jsonl.zst") }

    /// The digest that a page's name tells, nil for other names.
    static func pageDigest(of key: ObjectKey) -> [UInt8]? {
        guard let name = key.utf8, let digest = Hex.decode(String(name.dropFirst(6).prefix(64))),
            key == pageKey(digest)
        else { return nil }
        return digest
    }
}

extension Ed25519PublicKey {
    /// Names the key for people: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
    package var id: String { Hex.encode(Array(SHA256.hash(raw).prefix(8))) }
}
