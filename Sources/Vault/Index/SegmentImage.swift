import Digests
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One index segment ready for lookups: its payload and a filter over its ids in one region of memory, or one mapped file.
///
/// Layout (integers little-endian): header, 64 bytes: "LSICACH1" ‖ length of the payload u64 ‖ blocks of the filter u64 ‖ 8 zero ‖
/// check, 32 bytes; then the filter's blocks of 64 bytes; then the payload. The check is a keyed BLAKE3 over the segment's name, the header's
/// first 32 bytes and everything behind the header; it is set in files only. It shows damage, and files of other vaults or hands.
///
/// Unchecked: nothing writes to the region after `init`, and `deinit` frees it.
package final class SegmentImage: @unchecked Sendable {
    static let headerLength = 64
    private static let magic = Array("LSICACH1".utf8)
    private static let checkOffset = 32

    let packs: [PackName]
    /// In order, 52 bytes each.
    package let rows: SegmentRows
    package let filter: UnsafeRawPointer
    package let filterBlocks: Int
    private let region: UnsafeRawBufferPointer
    private let isMapped: Bool

    /// Checks the payload and copies it into memory.
    package init(payload: [UInt8], name: String) throws(VaultError) {
        let (packs, rowCount) = try Self.read(payload, name)
        let blocks = SegmentFilter.blocks(rows: rowCount)
        let start = Self.headerLength + blocks * SegmentFilter.blockLength
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: start + payload.count, alignment: SegmentFilter.blockLength)
        memory[..<start].initializeMemory(as: UInt8.self, repeating: 0)
        memory.baseAddress!.copyMemory(from: Self.magic, byteCount: 8)
        memory.storeBytes(of: UInt64(payload.count).littleEndian, toByteOffset: 8, as: UInt64.self)
        memory.storeBytes(of: UInt64(blocks).littleEndian, toByteOffset: 16, as: UInt64.self)
        (memory.baseAddress! + start).copyMemory(from: payload, byteCount: payload.count)
        let filter = memory.baseAddress! + Self.headerLength
        let rows = SegmentRows(end: UnsafeRawPointer(memory.baseAddress! + memory.count), count: rowCount)
        for index in 0..<rowCount { SegmentFilter.add(rows.id(index), to: filter, blocks: blocks) }
        self.packs = packs
        self.rows = rows
        self.filter = UnsafeRawPointer(filter)
        filterBlocks = blocks
        region = UnsafeRawBufferPointer(memory)
        isMapped = false
    }

    private static func read(_ payload: [UInt8], _ name: String) throws(VaultError) -> ([PackName], Int) {
        let result: Result<([PackName], Int), VaultError> = payload.withUnsafeBytes { bytes in
            do throws(VaultError) { return .success(try SegmentPayload.decode(bytes, name: name)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Takes over a mapped file; nil, and the file is unmapped, when it is not the image of this very segment.
    init?(mapped region: UnsafeRawBufferPointer, name: String, key: [UInt8]) {
        func number(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: region.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let isWhole = region.count >= Self.headerLength && region[..<8].elementsEqual(Self.magic)
        // Checked by its keyed hash first: then what follows is what this program wrote.
        guard isWhole,
            Self.check(region, name: name, key: key).elementsEqual(region[Self.checkOffset..<Self.headerLength]),
            let blocks = Int(exactly: number(16)), let length = Int(exactly: number(8)),
            length >= SegmentPayload.headerLength,
            case let payload = UnsafeRawBufferPointer(rebasing: region.suffix(length)),
            region.count == Self.headerLength + blocks * SegmentFilter.blockLength + length,
            let (packs, rowCount) = try? SegmentPayload.decode(payload, name: name),
            blocks == SegmentFilter.blocks(rows: rowCount)
        else {
            munmap(UnsafeMutableRawPointer(mutating: region.baseAddress!), region.count)
            return nil
        }
        self.packs = packs
        rows = SegmentRows(end: region.baseAddress! + region.count, count: rowCount)
        filter = region.baseAddress! + Self.headerLength
        filterBlocks = blocks
        self.region = region
        isMapped = true
    }

    deinit {
        let address = UnsafeMutableRawPointer(mutating: region.baseAddress!)
        if isMapped { munmap(address, region.count) } else { address.deallocate() }
    }

    /// The header with its check, and all that follows it: what a cache file holds.
    func withFile<R>(name: String, key: [UInt8], _ body: (_ header: [UInt8], _ rest: UnsafeRawBufferPointer) -> R) -> R
    {
        let header = Array(region[..<Self.checkOffset]) + Self.check(region, name: name, key: key)
        return body(header, UnsafeRawBufferPointer(rebasing: region[Self.headerLength...]))
    }

    private static func check(_ region: UnsafeRawBufferPointer, name: String, key: [UInt8]) -> [UInt8] {
        var hasher = BLAKE3(key: key)
        Array(name.utf8).withUnsafeBytes { hasher.update($0) }
        hasher.update(UnsafeRawBufferPointer(rebasing: region[..<checkOffset]))
        hasher.update(UnsafeRawBufferPointer(rebasing: region[headerLength...]))
        return hasher.finalize()
    }
}
