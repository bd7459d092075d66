/// Checksums of one whole object, as far as somebody knows them. Only full-object values: never a composite of part sums.
package struct ObjectChecksums: Hashable, Sendable, Codable {
    package var crc32c: UInt32?
    /// CRC-64/NVME: S3's CRC64NVME and Azure's CRC64 are this one function.
    package var crc64nvme: UInt64?
    /// MD5, 16 bytes.
    package var md5: [UInt8]?
    /// BLAKE3, unkeyed, 32 bytes.
    package var blake3: [UInt8]?

    package init(crc32c: UInt32? = nil, crc64nvme: UInt64? = nil, md5: [UInt8]? = nil, blake3: [UInt8]? = nil) {
        self.crc32c = crc32c
        self.crc64nvme = crc64nvme
        self.md5 = md5
        self.blake3 = blake3
    }

    package var isEmpty: Bool { crc32c == nil && crc64nvme == nil && md5 == nil && blake3 == nil }

    /// Whether both name at least one common algorithm and all common ones agree: true same, false different, nil nothing to compare.
    package func agrees(with other: ObjectChecksums) -> Bool? {
        var compared: Bool?
        if let a = crc64nvme, let b = other.crc64nvme { compared = (compared ?? true) && a == b }
        if let a = crc32c, let b = other.crc32c { compared = (compared ?? true) && a == b }
        if let a = md5, let b = other.md5 { compared = (compared ?? true) && a == b }
        if let a = blake3, let b = other.blake3 { compared = (compared ?? true) && a == b }
        return compared
    }
}
