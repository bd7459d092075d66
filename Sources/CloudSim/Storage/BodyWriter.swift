package import NIOCore

/// Takes a body as it arrives, keeps it in memory or in a file, and computes digests on the way.
///
/// Memory: the expected length is reserved in power-of-two slabs, so no byte is moved twice. Files: written through
/// to a temporary name that `finish` gives its final one. A writer that is dropped leaves nothing behind.
package final class BodyWriter: BodySink {
    private static let largestSlab = 8 << 20
    private static let smallestSlab = 512

    private var digests: RunningDigests
    private var expected: Int?
    private var finished = Body()
    private var slab: ByteBuffer?
    private var file: BlobFile?
    package private(set) var count = 0

    /// - Parameter expectedLength: the length announced by the client; a hint, not a limit.
    init(expectedLength: Int?, digests: DigestSet, file: BlobFile?) {
        self.expected = expectedLength
        self.digests = RunningDigests(digests)
        self.file = file
    }

    package func receive(_ bytes: inout ByteBuffer) throws {
        try bytes.readWithUnsafeReadableBytes { pointer in
            try receive(pointer)
            return pointer.count
        }
    }

    package func receive(_ pointer: UnsafeRawBufferPointer) throws {
        digests.update(pointer)
        if let file {
            try file.write(pointer)
            count += pointer.count
            return
        }
        var rest = pointer
        while !rest.isEmpty {
            if slab == nil { slab = makeSlab(atLeast: rest.count) }
            let fits = min(slab!.writableBytes, rest.count)
            slab!.writeBytes(UnsafeRawBufferPointer(rebasing: rest[..<fits]))
            count += fits
            rest = UnsafeRawBufferPointer(rebasing: rest[fits...])
            if slab!.writableBytes == 0 { sealSlab() }
        }
    }

    /// The body and its digests; the writer must not be used afterwards.
    package func finish() throws -> (body: Body, digests: BodyDigests) {
        sealSlab()
        if let file {
            if count > 0 { finished.append(.file(try file.commit(), offset: 0, length: count)) }
            self.file = nil
        }
        return (finished, digests.finish())
    }

    private func sealSlab() {
        if let slab { finished.append(.memory(slab)) }
        slab = nil
    }

    /// The largest power of two that the rest of the expected length fills, so that little is reserved in vain.
    private func makeSlab(atLeast arrived: Int) -> ByteBuffer {
        let rest = max(expected.map { $0 - count } ?? max(arrived, count), 1)
        var size = Self.smallestSlab
        while size < Self.largestSlab && size * 2 <= rest { size *= 2 }
        if size < rest && rest <= 64 << 10 { size *= 2 }
        return ByteBufferAllocator().buffer(capacity: size)
    }
}
