import CKernels

/// Both checksums and the length of a run of bytes: of a part, or of a whole object once its parts are put in order.
package struct ContentDigest: Hashable, Sendable, Codable {
    package var crc32c: UInt32 = 0
    package var crc64nvme: UInt64 = 0
    package var length: Int64 = 0

    /// The digest of nothing.
    package init() {}

    package init(crc32c: UInt32, crc64nvme: UInt64, length: Int64) {
        self.crc32c = crc32c
        self.crc64nvme = crc64nvme
        self.length = length
    }

    package init(of bytes: UnsafeRawBufferPointer) {
        update(bytes)
    }

    /// Continues over more bytes, reading them once for both checksums.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        lockstep_crc_both(&crc32c, &crc64nvme, bytes.baseAddress, bytes.count)
        length += Int64(bytes.count)
    }

    /// The digest of these bytes followed by the next ones; associative, and the digest of nothing changes nothing.
    package func appending(_ next: ContentDigest) -> ContentDigest {
        ContentDigest(
            crc32c: CRC32C.combine(crc32c, next.crc32c, lengthOfB: next.length),
            crc64nvme: CRC64NVME.combine(crc64nvme, next.crc64nvme, lengthOfB: next.length),
            length: length + next.length)
    }
}
