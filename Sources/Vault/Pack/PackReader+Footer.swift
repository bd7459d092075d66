import Buffers
import ObjectStores
package import ReplicationModel

extension PackReader {
    /// What a pack says of itself: its chunks in the order in which they lie.
    package func footer(of pack: PackName) async throws(VaultError) -> [(ChunkID, ChunkLocation)] {
        let cipher = try await directory.cipher(of: pack)
        let size = try await directory.askedSize(of: pack)
        let least = PackLayout.overhead(rows: 0)
        guard size >= least else { throw PackDirectory.tooShort(pack, size, least) }

        // Most footers are short enough to come with the trailer.
        var count = min(size, 64 << 10)
        var tail: PooledBuffer! = try await read(pack, offset: size - count, count: count)
        let trailer = try ObjectTrailer(tail.bytes(count), name: pack.text)
        let most = min(PackLayout.maxFooter, size - ObjectHeader.length - ObjectTrailer.length)
        guard let length = Int(exactly: trailer.footerLength),
            (PackLayout.countsLength + RecordCipher.overhead...most).contains(length)
        else {
            throw VaultError(.damaged, object: pack.text, "the trailer names an impossible footer")
        }
        let needed = length + ObjectTrailer.length
        if needed > count {
            count = needed
            // Given back before more is taken: two that hold some and wait for more would wait for ever.
            tail = nil
            tail = try await read(pack, offset: size - count, count: count)
        }
        let record = UnsafeRawBufferPointer(rebasing: tail.bytes(count)[(count - needed)...].prefix(length))
        // In place.
        let plain = UnsafeMutableRawBufferPointer(
            start: tail.base + (count - needed), count: length - RecordCipher.overhead)
        guard cipher.open(record, at: UInt64(size - needed), into: plain.baseAddress!) else {
            throw VaultError(.damaged, object: pack.text, "the footer was changed: it does not open")
        }
        defer { withExtendedLifetime(tail) {} }
        return try PackLayout.rows(of: UnsafeRawBufferPointer(plain), pack: pack, size: Int64(size))
    }

    private func read(_ pack: PackName, offset: Int, count: Int) async throws(VaultError) -> PooledBuffer {
        let buffer: PooledBuffer
        do { buffer = try await maintenance.acquire(count) } catch { throw VaultError(.cancelled, "interrupted") }
        try await directory.read(pack, offset: offset, count: count, into: buffer)
        return buffer
    }
}

extension PooledBuffer {
    /// The first `count` bytes, valid while the buffer is alive.
    fileprivate func bytes(_ count: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
