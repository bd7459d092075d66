package import ReplicationModel

/// A blocked Bloom filter over chunk ids: tells most ids that are not in a segment, with one cache line of memory.
///
/// Blocks of 64 bytes, ten bits for each row. An id chooses a block by its second word and in each of the block's eight words one bit by six
/// bits of its third: ids are hashes already. About one absent id in a hundred seems to be there.
package enum SegmentFilter {
    static let blockLength = 64

    static func blocks(rows: Int) -> Int { max(1, (rows * 10 + 511) / 512) }

    static func add(_ id: ChunkID, to filter: UnsafeMutableRawPointer, blocks: Int) {
        let block = filter + offset(id, blocks)
        for word in 0..<8 {
            let old = block.load(fromByteOffset: 8 * word, as: UInt64.self)
            block.storeBytes(of: old | bit(id, word), toByteOffset: 8 * word, as: UInt64.self)
        }
    }

    /// False: the id is certainly not there.
    package static func mayContain(_ id: ChunkID, _ filter: UnsafeRawPointer, blocks: Int) -> Bool {
        let block = filter + offset(id, blocks)
        for word in 0..<8 where block.load(fromByteOffset: 8 * word, as: UInt64.self) & bit(id, word) == 0 {
            return false
        }
        return true
    }

    @inline(__always)
    private static func offset(_ id: ChunkID, _ blocks: Int) -> Int {
        Int(id.words.1.multipliedFullWidth(by: UInt64(blocks)).high) * blockLength
    }

    @inline(__always)
    private static func bit(_ id: ChunkID, _ word: Int) -> UInt64 {
        1 << (id.words.2 >> UInt64(6 * word) & 63)
    }
}
