import Buffers
import ReplicationModel

/// The memory of one pass: a stream's bytes, each at its offset modulo the ring's size, and behind the ring a place for one part.
struct Ring: Sendable {
    private let memory: PooledBuffer
    let size: Int

    init(_ memory: PooledBuffer, size: Int) {
        self.memory = memory
        self.size = size
    }

    /// Where a range of the stream is read to. It must not run over the end of the ring.
    func portion(_ range: ByteRange) -> PooledBuffer {
        memory.portion(Int(range.offset % Int64(size)), Int(range.length))
    }

    /// A range of the stream in one piece. What runs over the end of the ring is copied behind it: there is no second such range while
    /// somebody uses this one, because it would begin a whole ring later.
    func slice(_ range: ByteRange) -> BufferSlice {
        let (start, length) = (Int(range.offset % Int64(size)), Int(range.length))
        let wrapped = start + length - size
        if wrapped > 0 { (memory.base + size).copyMemory(from: memory.base, byteCount: wrapped) }
        return BufferSlice(buffer: memory, offset: start, count: length)
    }
}
