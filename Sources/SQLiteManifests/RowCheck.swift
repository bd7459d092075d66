import Digests

/// XXH3 over the columns of a row: SQLite does not notice a flipped bit inside a value.
struct RowCheck {
    private var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(256)
    }

    mutating func append(_ field: some Collection<UInt8>) {
        withUnsafeBytes(of: UInt32(field.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: field)
    }

    mutating func append(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    var value: Int64 { Int64(bitPattern: bytes.withUnsafeBytes { XXH3.hash64($0) }) }
}
