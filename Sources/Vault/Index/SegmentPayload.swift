import ReplicationModel

/// The content of an index segment, before it is sealed.
///
/// Integers little-endian unless said otherwise:
///
///     "LSIDX001" ‖ count of packs u32 ‖ count of rows u32 ‖ packs, 40 bytes each ‖ rows, 52 bytes each
///
/// - pack: session (base u64 big-endian ‖ 8 random bytes) ‖ id (16 bytes) ‖ type u8 (`SealedType`) ‖ 7 zero; strictly rising as bytes
/// - row: chunk id (32 bytes) ‖ number of the pack in the table u32 ‖ offset u32 ‖ stored length u32 ‖ plain length u32 ‖ codec u8 ‖ 3 zero;
///   strictly rising by id, then pack
///
/// A segment has from 1 to 262,144 rows. Offset and stored length add up to less than 2³².
package enum SegmentPayload {
    static let magic = Array("LSIDX001".utf8)
    package static let maxRows = 262_144
    static let headerLength = 16
    static let packLength = 40

    static func length(packs: Int, rows: Int) -> Int {
        headerLength + packs * packLength + rows * SegmentRow.byteCount
    }

    /// - Precondition: both sorted, every pack number in range.
    package static func encode(packs: [PackName], rows: ArraySlice<SegmentRow>) -> [UInt8] {
        precondition((1...maxRows).contains(rows.count), "no segment has \(rows.count) rows")
        let length = length(packs: packs.count, rows: rows.count)
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            var address = UnsafeMutableRawPointer(buffer.baseAddress!)
            func append(_ bytes: [UInt8]) {
                address.copyMemory(from: bytes, byteCount: bytes.count)
                address += bytes.count
            }
            append(magic)
            for count in [packs.count, rows.count] {
                address.storeBytes(of: UInt32(count).littleEndian, as: UInt32.self)
                address += 4
            }
            for pack in packs { append(pack.rawBytes) }
            for row in rows {
                row.store(to: address)
                address += SegmentRow.byteCount
            }
            count = length
        }
    }

    /// Checks everything that the type promises, and reads the table of packs. The rows are the last `rows · 52` bytes.
    package static func decode(
        _ payload: UnsafeRawBufferPointer, name: String
    ) throws(VaultError) -> (packs: [PackName], rows: Int) {
        var scanner = PageScanner(payload, name: name)
        guard try scanner.take(8).elementsEqual(magic) else { throw scanner.damaged("this is no index segment") }
        let packCount = Int(try scanner.integer(UInt32.self))
        let rowCount = Int(try scanner.integer(UInt32.self))
        guard (1...maxRows).contains(rowCount), (1...rowCount).contains(packCount),
            payload.count == length(packs: packCount, rows: rowCount)
        else { throw scanner.damaged("the counts do not fit the length") }
        let packs = try packs(packCount, &scanner)
        try checkRows(try scanner.take(rowCount * SegmentRow.byteCount), packs: packCount, scanner)
        return (packs, rowCount)
    }

    private static func packs(_ count: Int, _ scanner: inout PageScanner) throws(VaultError) -> [PackName] {
        var packs: [PackName] = []
        packs.reserveCapacity(count)
        var previous: UnsafeRawBufferPointer?
        var session: (bytes: UnsafeRawBufferPointer, name: SessionName)?
        for _ in 0..<count {
            let bytes = try scanner.take(packLength)
            guard previous.map({ $0.lexicographicallyPrecedes(bytes) }) ?? true else {
                throw scanner.damaged("packs are out of order")
            }
            previous = bytes
            guard let type = SealedType(rawValue: bytes[32]), type == .dataPack || type == .metadataPack,
                bytes[33...].allSatisfy({ $0 == 0 })
            else { throw scanner.damaged("a pack of an unknown type") }
            let raw = UnsafeRawBufferPointer(rebasing: bytes[..<SessionName.byteCount])
            if session.map({ !$0.bytes.elementsEqual(raw) }) ?? true { session = (raw, SessionName(rawBytes: raw)) }
            packs.append(PackName(session: session!.name, id: Array(bytes[16..<32]), isMetadata: type == .metadataPack))
        }
        return packs
    }

    private static func checkRows(
        _ rows: UnsafeRawBufferPointer, packs: Int, _ scanner: PageScanner
    ) throws(VaultError) {
        var previous: SegmentRow?
        for start in stride(from: 0, to: rows.count, by: SegmentRow.byteCount) {
            let address = rows.baseAddress! + start
            let row = SegmentRow(at: address)
            if let previous, !(previous < row) { throw scanner.damaged("rows are out of order") }
            previous = row
            guard row.pack < packs, !row.offset.addingReportingOverflow(row.storedLength).overflow,
                address.loadUnaligned(fromByteOffset: 48, as: UInt32.self).littleEndian < 256
            else { throw scanner.damaged("a row points nowhere") }
        }
    }
}

extension PackName {
    /// The 40 bytes of a segment's table; their order is that of packs in an index.
    var rawBytes: [UInt8] { session.rawBytes + id + [type.rawValue] + [UInt8](repeating: 0, count: 7) }
}
