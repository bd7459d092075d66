import Digests

/// The name of one block: part number, upload and checksum in 20 bytes.
///
/// - The nonce keeps two uploads to one blob apart: blocks of another writer are never committed by mistake.
/// - The CRC-64, which the service has verified when it took the block, stays readable in the committed list: together
///   the blocks prove the whole blob's checksum, which the service itself does not keep.
/// - All names are equally long, as the service demands within one blob.
struct AzureBlockID: Hashable, Sendable {
    /// From 1.
    var number: Int
    var nonce: UInt64
    /// nil for a copied block whose checksum nobody knew.
    var crc64: UInt64?

    static let byteCount = 20
    private static let unknownChecksum: UInt32 = 1 << 31

    init(number: Int, nonce: UInt64, crc64: UInt64?) {
        precondition(
            (1...AzureBlobStore.maxBlocks).contains(number),
            "a part number is between 1 and \(AzureBlobStore.maxBlocks)")
        self.number = number
        self.nonce = nonce
        self.crc64 = crc64
    }

    /// nil for names that other programs made.
    init?(_ text: String) {
        guard let bytes = Base64.decode(text), bytes.count == Self.byteCount else { return nil }
        let word = bytes.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) }
        number = Int(word & ~Self.unknownChecksum)
        guard (1...AzureBlobStore.maxBlocks).contains(number) else { return nil }
        nonce = bytes.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt64.self)) }
        let checksum = bytes.withUnsafeBytes {
            UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 12, as: UInt64.self))
        }
        crc64 = word & Self.unknownChecksum == 0 ? checksum : nil
    }

    /// Base64, 28 characters.
    var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        let word = UInt32(number) | (crc64 == nil ? Self.unknownChecksum : 0)
        withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: nonce.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: (crc64 ?? 0).bigEndian) { bytes.append(contentsOf: $0) }
        return Base64.encode(bytes)
    }
}
