import Buffers
import Digests

/// A sealed object on its way through one buffer, hashed as it comes.
struct SealedStream {
    private let buffer: PooledBuffer
    private let blockSize: Int
    private let size: Int
    /// The place in the object of the buffer's first byte, and how many bytes are there.
    private var start = 0
    private var count = 0
    private var hash = BLAKE3()

    /// - Parameter buffer: has room for a block besides what is kept from one block to the next.
    init(_ buffer: PooledBuffer, blockSize: Int, size: Int) {
        self.buffer = buffer
        self.blockSize = blockSize
        self.size = size
    }

    /// Brings the next block behind what is kept. False at the end.
    mutating func advance(
        _ read: (_ offset: Int, _ count: Int, PooledBuffer) async throws(VaultError) -> Void
    ) async throws(VaultError) -> Bool {
        let offset = start + count
        guard offset < size else { return false }
        let length = min(blockSize, size - offset)
        try await read(offset, length, buffer.portion(count, length))
        let hashed = max(0, min(length, size - ObjectTrailer.length - offset))
        hash.update(UnsafeRawBufferPointer(start: buffer.base + count, count: hashed))
        count += length
        return true
    }

    /// The bytes of a record, once all are there.
    func bytes(of location: ChunkLocation) -> UnsafeRawBufferPointer? {
        bytes(Int(location.offset)..<Int(location.offset) + Int(location.storedLength))
    }

    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer? {
        guard range.lowerBound >= start, range.upperBound <= start + count else { return nil }
        return UnsafeRawBufferPointer(start: buffer.base + (range.lowerBound - start), count: range.count)
    }

    /// Forgets what lies before `offset`.
    mutating func keep(from offset: Int) {
        let dropped = max(0, min(count, offset - start))
        buffer.base.copyMemory(from: buffer.base + dropped, byteCount: count - dropped)
        start += dropped
        count -= dropped
    }

    /// After the last block: compares the trailer's hash. The trailer has been kept.
    @discardableResult func check(name: String) throws(VaultError) -> ObjectTrailer {
        let trailer = try ObjectTrailer(bytes(size - ObjectTrailer.length..<size)!, name: name)
        guard trailer.ends(hash) else {
            throw VaultError(.damaged, object: name, "its bytes differ from the checksum at its end: it was changed")
        }
        return trailer
    }
}
