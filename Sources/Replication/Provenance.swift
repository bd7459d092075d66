import Digests
import ObjectStores
import ReplicationModel

/// What the engine writes into the user metadata of its copies, so that a lost ledger does not cost a full copy:
/// which source version they were made from and, where it is known in time, the CRC-64/NVME of their bytes.
///
/// The names are legal in every store and are stripped when such a copy is itself replicated.
enum Provenance {
    static let sourceName = "lockstep_source"
    static let crcName = "lockstep_crc64nvme"

    /// A fingerprint of store, key and version: 32 hex digits.
    static func fingerprint(store: String, key: ObjectKey, version: VersionToken) -> String {
        var hasher = BLAKE3()
        for field in [Array(store.utf8), key.bytes, Array(version.text.utf8)] {
            // Length first, so that no two triples give the same bytes.
            withUnsafeBytes(of: UInt64(field.count).littleEndian) { hasher.update($0) }
            field.withUnsafeBytes { hasher.update($0) }
        }
        return Hex.encode(Array(hasher.finalize().prefix(16)))
    }

    static func strip(_ attributes: ObjectAttributes) -> ObjectAttributes {
        var result = attributes
        result.userMetadata = result.userMetadata.filter { !$0.key.hasPrefix("lockstep_") }
        return result
    }

    /// The source's attributes as the target will hold them: what fits, and the provenance if there is room for it.
    static func attributes(
        of source: ObjectAttributes, fingerprint: String, digest: ContentDigest?, rules: any ObjectRules
    ) -> (kept: ObjectAttributes, dropped: [String]) {
        let (kept, dropped) = rules.fit(strip(source))
        var marked = kept
        marked.userMetadata[sourceName] = fingerprint
        if let digest { marked.userMetadata[crcName] = ChecksumEncoding.hex(digest.crc64nvme) }
        return (rules.fit(marked).dropped.isEmpty ? marked : kept, dropped)
    }
}
