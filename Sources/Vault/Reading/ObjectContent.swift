import ReplicationModel

/// An object's chunks with their places in it.
final class ObjectContent: Sendable {
    let references: [ChunkReference]
    /// First byte of each chunk; one more at the end, the object's size.
    private let offsets: [Int64]

    init(_ references: [ChunkReference]) {
        self.references = references
        var offset: Int64 = 0
        offsets =
            [0]
            + references.map { reference in
                offset += Int64(reference.length)
                return offset
            }
    }

    var size: Int64 { offsets.last! }

    /// The chunks that hold bytes of the range, each with the part of it that is wanted.
    func chunks(of range: ByteRange) -> [(reference: ChunkReference, offset: Int64, wanted: Range<Int>)] {
        guard !range.isEmpty else { return [] }
        var result: [(reference: ChunkReference, offset: Int64, wanted: Range<Int>)] = []
        var index = first(holding: range.offset)
        while index < references.count, offsets[index] < range.end {
            let start = offsets[index]
            let wanted = Int(max(0, range.offset - start))..<Int(min(offsets[index + 1], range.end) - start)
            if !wanted.isEmpty { result.append((references[index], start, wanted)) }
            index += 1
        }
        return result
    }

    private func first(holding offset: Int64) -> Int {
        var low = 0
        var high = references.count
        while low < high {
            let middle = (low + high) / 2
            if offsets[middle + 1] <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Lists

    /// Bytes of one chunk in a list: its id, then its length.
    private static let rowLength = ChunkID.length + 4

    static func encode(_ references: [ChunkReference]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: references.count * rowLength) { buffer, count in
            for (index, reference) in references.enumerated() {
                let row = UnsafeMutableRawPointer(buffer.baseAddress! + index * rowLength)
                reference.id.store(to: row)
                row.storeBytes(of: reference.length.littleEndian, toByteOffset: ChunkID.length, as: UInt32.self)
            }
            count = references.count * rowLength
        }
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) throws(VaultError) -> [ChunkReference] {
        guard bytes.count % rowLength == 0 else { throw VaultError(.damaged, "a list of chunks has half a row") }
        return (0..<bytes.count / rowLength).map { index in
            let row = UnsafeRawBufferPointer(rebasing: bytes[index * rowLength..<(index + 1) * rowLength])
            return ChunkReference(
                id: ChunkID(UnsafeRawBufferPointer(rebasing: row[..<ChunkID.length])),
                length: UInt32(littleEndian: row.loadUnaligned(fromByteOffset: ChunkID.length, as: UInt32.self)))
        }
    }
}
