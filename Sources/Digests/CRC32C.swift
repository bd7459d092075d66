import CKernels

/// CRC-32C (Castagnoli): S3's CRC32C and Google Cloud Storage's crc32c.
///
/// Values are final ones; 0 is the checksum of nothing.
package enum CRC32C {
    /// The checksum of the bytes before, whose checksum is `crc`, followed by `bytes`.
    package static func update(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        lockstep_crc32c(crc, bytes.baseAddress, bytes.count)
    }

    /// The checksum of `a`'s bytes followed by `b`'s; associative, so that parts may be combined in any grouping.
    package static func combine(_ a: UInt32, _ b: UInt32, lengthOfB: Int64) -> UInt32 {
        combination.combine(a, b, lengthOfB: lengthOfB)
    }

    private static let combination = CRCCombination<UInt32>(reflectedPolynomial: 0x82F6_3B78)
}
