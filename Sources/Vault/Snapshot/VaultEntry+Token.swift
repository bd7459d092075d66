import Digests
package import ReplicationModel

extension VaultEntry {
    /// What a listing shows as the object's version: 32 hex digits, the first half of a BLAKE3 over key, size, modified, crc32c, crc64nvme,
    /// blake3 and the attributes' text, each preceded by its length (u32); integers little-endian.
    ///
    /// Says nothing of where the chunks are: packing anew leaves it as it is.
    package var token: VersionToken {
        let attributes = AttributesText.encode(attributes)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(key.bytes.count + attributes.count + 96)
        func append(_ field: [UInt8]) {
            bytes.append(integer: UInt32(field.count))
            bytes.append(contentsOf: field)
        }
        append(key.bytes)
        bytes.append(integer: UInt32(8))
        bytes.append(integer: size)
        bytes.append(integer: UInt32(8))
        bytes.append(integer: modified)
        bytes.append(integer: UInt32(4))
        bytes.append(integer: crc32c)
        bytes.append(integer: UInt32(8))
        bytes.append(integer: crc64nvme)
        append(blake3)
        append(attributes)
        let digest = bytes.withUnsafeBytes { BLAKE3.hash($0) }
        return VersionToken(Hex.encode(Array(digest[..<16])))
    }

    /// Whether nothing differs, not even in how a text of the attributes is composed of Unicode scalars (which `==` takes for equal).
    func isIdentical(to other: VaultEntry) -> Bool {
        self == other && AttributesText.encode(attributes) == AttributesText.encode(other.attributes)
    }
}
