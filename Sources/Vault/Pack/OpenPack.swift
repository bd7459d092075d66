import Buffers
import ChunkPipeline
import Digests
import ReplicationModel

/// A pack that is being filled or uploaded.
///
/// Unchecked: the writer's mutex guards all variables while the pack is open. The memory is written by many at once, each in the range
/// that it reserved; once the pack is closed and the last of them is done, it belongs to the upload.
final class OpenPack: @unchecked Sendable {
    let name: PackName
    let cipher: RecordCipher
    let capacity: Int
    /// Fulfilled when the pack is durable or given up, and its memory returned.
    let ended = Promise<Void>()
    private(set) var end = ObjectHeader.length
    private(set) var rows: [(ChunkID, ChunkLocation)] = []
    /// Ranges that are reserved and not sealed yet.
    var writers = 0
    var upload: Task<Void, Never>?
    private var memory: PooledBuffer?

    init(_ name: PackName, keys: KeyRing, memory: PooledBuffer, capacity: Int) {
        self.name = name
        self.memory = memory
        self.capacity = capacity
        let (header, cipher) = keys.newObject(name.type, name: name.text)
        self.cipher = cipher
        header.withUnsafeBytes { memory.base.copyMemory(from: $0.baseAddress!, byteCount: ObjectHeader.length) }
    }

    /// Room for a record of `stored` bytes with its tag, or nil when the pack has none left.
    func reserve(_ id: ChunkID, stored: Int, plain: Int, codec: ChunkCodec) -> ChunkLocation? {
        let record = stored + RecordCipher.overhead
        guard PackLayout.fits(end: end + record, rows: rows.count + 1, capacity: capacity) else { return nil }
        let location = ChunkLocation(
            pack: name, offset: UInt32(end), storedLength: UInt32(record), plainLength: UInt32(plain), codec: codec)
        end += record
        rows.append((id, location))
        writers += 1
        return location
    }

    /// The memory of one record.
    func record(at location: ChunkLocation) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: memory!.base + Int(location.offset), count: Int(location.storedLength))
    }

    /// Writes footer and trailer. Nobody fills the pack any more.
    /// - Returns: the whole pack.
    func finish() -> BufferSlice {
        let memory = memory!
        let size = PackLayout.size(records: end - ObjectHeader.length, rows: rows.count)
        let record = size - ObjectTrailer.length - end
        let footer = UnsafeMutableRawBufferPointer(start: memory.base + end, count: record - RecordCipher.overhead)
        footer.storeBytes(of: UInt32(rows.count).littleEndian, as: UInt32.self)
        footer.storeBytes(of: UInt64(end - ObjectHeader.length).littleEndian, toByteOffset: 4, as: UInt64.self)
        var address = footer.baseAddress! + PackLayout.countsLength
        for (id, location) in rows {
            PackLayout.store(id, location, to: address)
            address += PackLayout.rowLength
        }
        address.initializeMemory(
            as: UInt8.self, repeating: 0,
            count: footer.count - PackLayout.countsLength - rows.count * PackLayout.rowLength)
        cipher.seal(UnsafeRawBufferPointer(footer), at: UInt64(end), into: footer.baseAddress!)

        let sealed = UnsafeRawBufferPointer(start: memory.base, count: size - ObjectTrailer.length)
        let trailer = ObjectTrailer(of: sealed, footerLength: UInt64(record))
        trailer.bytes.withUnsafeBytes {
            (memory.base + sealed.count).copyMemory(from: $0.baseAddress!, byteCount: ObjectTrailer.length)
        }
        rows = []
        return memory.slice(size)
    }

    func returnMemory() {
        memory = nil
    }
}
