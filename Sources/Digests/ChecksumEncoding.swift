/// Checksums as the stores write them: S3 and Google in base64 of big-endian bytes, Azure in base64 of little-endian ones.
package enum ChecksumEncoding {
    /// Base64 of the bytes, most significant first: `x-amz-checksum-crc32c`, `x-amz-checksum-crc64nvme`, GCS `crc32c`.
    package static func base64BigEndian<Word: ChecksumWord>(_ word: Word) -> String {
        withUnsafeBytes(of: word.bigEndian) { Base64.encode($0) }
    }

    /// Base64 of the bytes, least significant first: Azure's `x-ms-content-crc64`.
    package static func base64LittleEndian<Word: ChecksumWord>(_ word: Word) -> String {
        withUnsafeBytes(of: word.littleEndian) { Base64.encode($0) }
    }

    /// The checksum, or nil where the text is not base64 of exactly its bytes.
    package static func fromBase64BigEndian<Word: ChecksumWord>(
        _ text: String, as type: Word.Type = Word.self
    ) -> Word? {
        word(text).map { Word(bigEndian: $0) }
    }

    /// The checksum, or nil where the text is not base64 of exactly its bytes.
    package static func fromBase64LittleEndian<Word: ChecksumWord>(
        _ text: String, as type: Word.Type = Word.self
    ) -> Word? {
        word(text).map { Word(littleEndian: $0) }
    }

    /// All digits in lower case, leading zeros included.
    package static func hex<Word: ChecksumWord>(_ word: Word) -> String {
        withUnsafeBytes(of: word.bigEndian) { Hex.encode($0) }
    }

    /// The checksum, or nil where the text does not have exactly its digits.
    package static func fromHex<Word: ChecksumWord>(_ text: String, as type: Word.Type = Word.self) -> Word? {
        guard let bytes = Hex.decode(text), bytes.count == MemoryLayout<Word>.size else { return nil }
        return Word(bigEndian: bytes.withUnsafeBytes { $0.loadUnaligned(as: Word.self) })
    }

    private static func word<Word: ChecksumWord>(_ text: String) -> Word? {
        guard let bytes = Base64.decode(text), bytes.count == MemoryLayout<Word>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Word.self) }
    }
}

/// The width of a checksum that is a number.
package protocol ChecksumWord: FixedWidthInteger, UnsignedInteger, BitwiseCopyable {}

extension UInt32: ChecksumWord {}
extension UInt64: ChecksumWord {}
