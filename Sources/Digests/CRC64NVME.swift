import CKernels

/// CRC-64/NVME: S3's CRC64NVME and Azure's CRC64, which differ in their byte order on the wire only.
///
/// Values are final ones; 0 is the checksum of nothing.
package enum CRC64NVME {
    /// The checksum of the bytes before, whose checksum is `crc`, followed by `bytes`.
    package static func update(_ crc: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        lockstep_crc64nvme(crc, bytes.baseAddress, bytes.count)
    }

    /// The checksum of `a`'s bytes followed by `b`'s; associative, so that parts may be combined in any grouping.
    package static func combine(_ a: UInt64, _ b: UInt64, lengthOfB: Int64) -> UInt64 {
        combination.combine(a, b, lengthOfB: lengthOfB)
    }

    private static let combination = CRCCombination<UInt64>(reflectedPolynomial: 0x9A6C_9329_AC4B_C9B5)
}
