import ChunkPipeline
import ReplicationModel

/// How the bytes of a pack lie: header, records back to back, sealed footer record, trailer.
///
/// The footer's plaintext: count (4) ‖ bytes of all records (8) ‖ rows (48 each) ‖ zeros, so many that the whole pack has a Padmé length.
/// A row: chunk id (32) ‖ offset (4) ‖ stored length (4) ‖ plain length (4) ‖ codec (1) ‖ 0 0 0. All integers are little-endian.
enum PackLayout {
    static let rowLength = 48
    static let countsLength = 12
    /// Rows of one pack, so that a footer is read in bounded memory.
    static let maxRows = 65_536
    /// Bytes of a chunk, plain; what chunkers may give at most.
    static let maxChunk = 8 << 20
    /// Bytes of a footer's record: the rows, and 1/16 of the largest pack for the padding.
    static let maxFooter = 20 << 20

    /// Bytes of everything but the records, without padding.
    static func overhead(rows: Int) -> Int {
        ObjectHeader.length + countsLength + rows * rowLength + RecordCipher.overhead + ObjectTrailer.length
    }

    /// Bytes of the whole pack.
    static func size(records: Int, rows: Int) -> Int {
        Padding.padded(records + overhead(rows: rows))
    }

    /// The largest Padmé length that is not above `length`: a pack that is no longer than this does not outgrow it by padding.
    static func capacity(_ length: Int) -> Int {
        var capacity = length
        // A Padmé length is its own padded one, and clearing the lowest bits one after the other finds the next below.
        while Padding.padded(capacity) != capacity { capacity &= capacity - 1 }
        return capacity
    }

    /// Whether records that end at `end` in the pack leave room for the rest of a pack of at most `capacity`, a Padmé length.
    static func fits(end: Int, rows: Int, capacity: Int) -> Bool {
        rows <= maxRows && end - ObjectHeader.length + overhead(rows: rows) <= capacity
    }

    static func store(_ id: ChunkID, _ location: ChunkLocation, to address: UnsafeMutableRawPointer) {
        id.store(to: address)
        address.storeBytes(of: location.offset.littleEndian, toByteOffset: 32, as: UInt32.self)
        address.storeBytes(of: location.storedLength.littleEndian, toByteOffset: 36, as: UInt32.self)
        address.storeBytes(of: location.plainLength.littleEndian, toByteOffset: 40, as: UInt32.self)
        address.storeBytes(of: UInt32(location.codec.rawValue).littleEndian, toByteOffset: 44, as: UInt32.self)
    }

    /// Reads the footer's plaintext of a pack of `size` bytes and checks every field against every other.
    static func rows(
        of footer: UnsafeRawBufferPointer, pack: PackName, size: Int64
    ) throws(VaultError) -> [(ChunkID, ChunkLocation)] {
        func damaged(_ what: String) -> VaultError {
            VaultError(.damaged, object: pack.text, "the footer contradicts itself: \(what)")
        }
        guard footer.count >= countsLength else { throw damaged("it is too short") }
        let count = Int(footer.integer(at: 0, UInt32.self))
        let total = footer.integer(at: 4, UInt64.self)
        guard count <= maxRows, countsLength + count * rowLength <= footer.count else {
            throw damaged("it is too short for its \(count) rows")
        }
        guard total <= UInt64(size),
            Int64(total) + Int64(ObjectHeader.length + footer.count + RecordCipher.overhead + ObjectTrailer.length)
                == size
        else { throw damaged("records of \(total) bytes do not make a pack of \(size)") }
        guard footer[(countsLength + count * rowLength)...].allSatisfy({ $0 == 0 }) else {
            throw damaged("its padding is not empty")
        }

        var rows: [(ChunkID, ChunkLocation)] = []
        rows.reserveCapacity(count)
        var end = UInt64(ObjectHeader.length)
        for index in 0..<count {
            let row = UnsafeRawBufferPointer(rebasing: footer[(countsLength + index * rowLength)...].prefix(rowLength))
            let codec = row.integer(at: 44, UInt32.self)
            let location = ChunkLocation(
                pack: pack, offset: row.integer(at: 32, UInt32.self), storedLength: row.integer(at: 36, UInt32.self),
                plainLength: row.integer(at: 40, UInt32.self),
                codec: ChunkCodec(rawValue: UInt8(truncatingIfNeeded: codec)))
            guard codec <= UInt8.max, UInt64(location.offset) == end, location.storedLength >= RecordCipher.overhead,
                location.plainLength <= maxChunk
            else { throw damaged("row \(index) does not follow the one before") }
            end += UInt64(location.storedLength)
            rows.append((ChunkID(UnsafeRawBufferPointer(rebasing: row[..<ChunkID.length])), location))
        }
        guard end == UInt64(ObjectHeader.length) + total else { throw damaged("its rows do not add up") }
        return rows
    }
}

extension UnsafeRawBufferPointer {
    func integer<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _ type: T.Type) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
