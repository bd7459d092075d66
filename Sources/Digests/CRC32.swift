import CKernels

/// CRC-32 (ISO-HDLC, the one of zip files): what the AWS SDKs send with uploads when nobody chooses a checksum.
///
/// Only for checking what arrives with no other checksum; what is sent carries better ones. Values are final ones; 0 is the
/// checksum of nothing.
package enum CRC32 {
    /// The checksum of the bytes before, whose checksum is `crc`, followed by `bytes`.
    package static func update(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        lockstep_crc32(crc, bytes.baseAddress, bytes.count)
    }
}
