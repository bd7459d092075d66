import Digests

extension SessionName {
    /// Bytes of a session's name in packs of integers: index segments and pages hold it so.
    static let byteCount = 16

    /// The base (big-endian), then the random bytes.
    var rawBytes: [UInt8] { Hex.decode(text.filter { $0 != "-" })! }

    /// - Precondition: 16 bytes.
    init(rawBytes: UnsafeRawBufferPointer) {
        precondition(rawBytes.count == Self.byteCount, "a session's name has 16 bytes")
        self.init(
            base: UInt64(bigEndian: rawBytes.loadUnaligned(as: UInt64.self)),
            random: Array(UnsafeRawBufferPointer(rebasing: rawBytes[8...])))
    }
}
