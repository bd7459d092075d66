/// A page-aligned region of memory that belongs to a `BufferPool` and returns to it when the last reference goes.
///
/// One holder writes at a time: the transport fills it, then it is only read. The type is `@unchecked Sendable` because that hand-over
/// is the engine's discipline (a part is read completely before it is uploaded), not something the compiler sees.
package final class PooledBuffer: @unchecked Sendable {
    /// Usable bytes, at least what was asked for.
    package let capacity: Int
    package let base: UnsafeMutableRawPointer
    private let release: @Sendable (UnsafeMutableRawPointer, Int) -> Void

    init(
        base: UnsafeMutableRawPointer, capacity: Int,
        release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
    ) {
        self.base = base
        self.capacity = capacity
        self.release = release
    }

    deinit {
        release(base, capacity)
    }

    /// A part of the region as a buffer of its own, for stores to read into. Keeps the whole region.
    package func portion(_ offset: Int, _ count: Int) -> PooledBuffer {
        precondition(offset >= 0 && count >= 0 && offset + count <= capacity, "portion outside its buffer")
        return PooledBuffer(base: base + offset, capacity: count) { _, _ in withExtendedLifetime(self) {} }
    }

    /// The first `count` bytes as a shared slice.
    package func slice(_ count: Int) -> BufferSlice {
        BufferSlice(buffer: self, offset: 0, count: count)
    }
}

/// A shared, read-only part of a pooled buffer. Keeps the buffer alive.
package struct BufferSlice: Sendable {
    package let buffer: PooledBuffer
    package let offset: Int
    package let count: Int

    package init(buffer: PooledBuffer, offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset + count <= buffer.capacity, "slice outside its buffer")
        self.buffer = buffer
        self.offset = offset
        self.count = count
    }

    /// Valid while `self` is alive.
    package var pointer: UnsafeRawPointer { UnsafeRawPointer(buffer.base + offset) }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(buffer) {
            try body(UnsafeRawBufferPointer(start: buffer.base + offset, count: count))
        }
    }

    /// A part of this part; offsets count from this slice's start.
    package func slice(_ offset: Int, _ count: Int) -> BufferSlice {
        precondition(offset >= 0 && count >= 0 && offset + count <= self.count, "slice outside its slice")
        return BufferSlice(buffer: buffer, offset: self.offset + offset, count: count)
    }
}
