import CKernels
import Compression

/// Makes chunks smaller where that is worth it. Used by one thread at a time; keeps its memory from chunk to chunk.
package final class ChunkCompressor {
    private let policy: CompressionPolicy
    private let lz4 = LZ4Compressor()
    private let zstd: ZstdCompressor
    private let frequencies = ZstdCompressor(.frequencies, checksum: false)
    private let planes = Scratch()
    private let second = Scratch()

    package init(_ policy: CompressionPolicy, zstdLevel: Int32 = 3) {
        self.policy = policy
        zstd = ZstdCompressor(level: zstdLevel, checksum: false)
    }

    /// Room that a compressed chunk of so many bytes never exceeds.
    package static func bound(_ count: Int) -> Int { count }

    /// Compresses one chunk into `into`, which has at least `bound` bytes of room.
    ///
    /// `.raw`: the chunk is to be stored as it is; nothing was copied, `count` is the chunk's, and `into` holds rubbish. Any other
    /// result saves a sixteenth of the chunk at least, and more than 64 bytes.
    package func compress(
        _ chunk: UnsafeRawBufferPointer, elementWidth: Int, into: UnsafeMutableRawBufferPointer
    ) -> (codec: ChunkCodec, count: Int) {
        precondition(into.count >= Self.bound(chunk.count), "no room to compress \(chunk.count) bytes")
        let room = UnsafeMutableRawBufferPointer(rebasing: into[..<Self.worthwhile(chunk.count)])
        guard !room.isEmpty else { return (.raw, chunk.count) }
        switch policy {
        case .none: break
        case .lz4:
            if let count = lz4.compress(chunk, fitting: room) { return (.lz4, count) }
        case .zstd:
            if let count = splitCompress(chunk, elementWidth, into: room) {
                return (.planes(width: elementWidth), count)
            }
            if let count = zstd.compress(chunk, fitting: room) { return (.zstd, count) }
        case .auto:
            if let count = splitCompress(chunk, elementWidth, into: room) {
                return (.planes(width: elementWidth), count)
            }
            if let count = probeAndCompress(chunk, into: room) { return (.lz4, count) }
        }
        return (.raw, chunk.count)
    }

    /// The most bytes that a result may have; 0 when none is worth it.
    private static func worthwhile(_ count: Int) -> Int {
        max(0, count - max(65, (count + 15) / 16))
    }

    /// LZ4, unless a glance, and for bytes of many values a try on the first of them, says that it is in vain.
    private func probeAndCompress(
        _ chunk: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let symbols = ByteSpread.symbols(chunk)
        guard symbols <= Self.random else { return nil }
        if symbols > Self.dense, chunk.count > 4 * Self.probe {
            let start = UnsafeRawBufferPointer(rebasing: chunk[..<Self.probe])
            let enough = UnsafeMutableRawBufferPointer(rebasing: room[..<Self.worthwhile(Self.probe)])
            guard lz4.compress(start, fitting: enough) != nil else { return nil }
        }
        return lz4.compress(chunk, fitting: room)
    }

    private static let probe = 16 << 10
    /// More symbols (`ByteSpread`) than anything that shrinks uses.
    private static let random = 240
    /// More than text uses.
    private static let dense = 128
    /// More than planes use that are shorter by a sixteenth when spelled by frequency.
    private static let even = 192

    /// Each byte of the elements by itself: the exponents of floating-point numbers use few values, their mantissas all.
    private func splitCompress(
        _ chunk: UnsafeRawBufferPointer, _ width: Int, into room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard width == 2 || width == 4 || width == 8, chunk.count >= 1024 else { return nil }
        let count = chunk.count / width
        let planes = planes.take(count * width)
        lockstep_planes_split(
            chunk.baseAddress, count, UInt32(width), planes.baseAddress!.assumingMemoryBound(to: UInt8.self))
        var output = PlaneOutput(room)
        for index in 0..<width {
            let plane = UnsafeRawBufferPointer(rebasing: planes[index * count..<(index + 1) * count])
            guard appendPlane(plane, to: &output) else { return nil }
        }
        guard output.appendTail(UnsafeRawBufferPointer(rebasing: chunk[(count * width)...])) else { return nil }
        return output.count
    }

    /// False: no room.
    private func appendPlane(_ plane: UnsafeRawBufferPointer, to output: inout PlaneOutput) -> Bool {
        let limit = Self.worthwhile(plane.count)
        if ByteSpread.symbols(plane) > (policy == .zstd ? Self.random : Self.even) { return output.appendRaw(plane) }
        let target = output.target(limit: limit)
        var length = frequencies.compress(plane, fitting: target)
        if policy == .zstd {
            // Spelled by frequency exponents are shorter than after a search at any usual level, but structure may be found.
            let other = UnsafeMutableRawBufferPointer(rebasing: second.take(target.count)[..<(length ?? target.count)])
            if let searched = zstd.compress(plane, fitting: other) {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: other[..<searched]))
                length = searched
            }
        }
        guard let length else { return output.appendRaw(plane) }
        output.commit(.zstd, length)
        return true
    }
}
