import Digests

/// The parts of an unfinished upload that have arrived, as records of one size in a file: record N at N − 1 times its length.
///
/// A record is written after its part and cleared before the part is written again, so that a part that was cut short has none.
/// Layout, little-endian: "LSP1", number u32, length i64, CRC-32C u32, zero u32, CRC-64/NVME u64, writer u64, CRC-32C of the
/// 40 bytes before u32, zero u32.
struct PartTable {
    static let recordLength = 48
    private static let magic: UInt32 = 0x3150_534C

    struct Record: Hashable {
        var number: Int
        var digest: ContentDigest
        /// The store that wrote the part: what it has written itself it need not read again.
        var writer: UInt64
    }

    private(set) var records: [Int: Record] = [:]

    /// Takes the records that are whole; others count as absent.
    init(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { take($0) }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        for start in stride(from: 0, to: bytes.count - Self.recordLength + 1, by: Self.recordLength) {
            let number = start / Self.recordLength + 1
            let slice = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + Self.recordLength)])
            if let record = Self.decode(slice), record.number == number { records[number] = record }
        }
    }

    static func offset(of number: Int) -> Int64 { Int64(number - 1) * Int64(recordLength) }

    static func encode(_ record: Record) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(recordLength)
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(magic)
        append(UInt32(record.number))
        append(record.digest.length)
        append(record.digest.crc32c)
        append(UInt32(0))
        append(record.digest.crc64nvme)
        append(record.writer)
        append(bytes.withUnsafeBytes { CRC32C.update(0, $0) })
        append(UInt32(0))
        return bytes
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) -> Record? {
        func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
            Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[..<40])
        guard load(0, as: UInt32.self) == magic, load(40, as: UInt32.self) == CRC32C.update(0, covered) else {
            return nil
        }
        let digest = ContentDigest(
            crc32c: load(16, as: UInt32.self), crc64nvme: load(24, as: UInt64.self), length: load(8, as: Int64.self))
        guard digest.length >= 0 else { return nil }
        return Record(number: Int(load(4, as: UInt32.self)), digest: digest, writer: load(32, as: UInt64.self))
    }
}
