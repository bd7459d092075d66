package import NIOCore

/// An object's bytes: an ordered list of pieces in memory or in files, shared by copies and never changed.
package struct Body: Sendable {
    package enum Segment: Sendable {
        case memory(ByteBuffer)
        case file(FileBlob, offset: Int, length: Int)

        package var count: Int {
            switch self {
            case .memory(let buffer): buffer.readableBytes
            case .file(_, _, let length): length
            }
        }

        /// The part of this segment at `range`, relative to its first byte; no bytes are copied.
        func slice(_ range: Range<Int>) -> Segment {
            switch self {
            case .memory(let buffer):
                .memory(buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count)!)
            case .file(let blob, let offset, _):
                .file(blob, offset: offset + range.lowerBound, length: range.count)
            }
        }
    }

    package private(set) var segments: [Segment] = []
    /// The offset at which each segment ends.
    private var ends: [Int] = []

    package init() {}

    package init(_ buffer: ByteBuffer) {
        append(.memory(buffer))
    }

    package init(bytes: some Sequence<UInt8>) {
        self.init(ByteBuffer(bytes: bytes))
    }

    package var count: Int { ends.last ?? 0 }

    package mutating func append(_ segment: Segment) {
        guard segment.count > 0 else { return }
        ends.append(count + segment.count)
        segments.append(segment)
    }

    /// Adds the bytes of `other`, as in a multipart completion; no bytes are copied.
    package mutating func append(_ other: Body) {
        for segment in other.segments { append(segment) }
    }

    /// The bytes of `range`; no bytes are copied.
    package func slice(_ range: Range<Int>) -> Body {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside of the body")
        if range.lowerBound == 0 && range.upperBound == count { return self }
        var result = Body()
        var offset = range.lowerBound
        while offset < range.upperBound {
            let piece = piece(at: offset, limit: range.upperBound - offset)
            result.append(piece)
            offset += piece.count
        }
        return result
    }

    /// At most `limit` consecutive bytes from `offset` on: the rest of one segment. `offset` must be inside the body.
    package func piece(at offset: Int, limit: Int) -> Segment {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        let segment = segments[low]
        let start = offset - (ends[low] - segment.count)
        return segment.slice(start..<min(segment.count, start + limit))
    }

    /// Calls `body` with the bytes in order, in pieces of at most 1 MiB; files are read piece by piece.
    package func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        for segment in segments {
            switch segment {
            case .memory(let buffer):
                try buffer.withUnsafeReadableBytes(body)
            case .file(let blob, let offset, let length):
                try blob.read(offset: offset, length: length, body)
            }
        }
    }

    /// All bytes in one buffer, for small bodies.
    package func collected() throws -> ByteBuffer {
        if segments.count == 1, case .memory(let buffer) = segments[0] { return buffer }
        var result = ByteBufferAllocator().buffer(capacity: count)
        try forEachPiece { result.writeBytes($0) }
        return result
    }
}
