import Buffers

/// Reads the segments of a body one after the other, from the start again as often as asked.
struct BodyCursor {
    let count: Int
    /// Bytes handed out since the last rewind.
    private(set) var position = 0

    private let segments: [HTTPBody.Segment]
    private var segment = 0
    private var offset = 0

    init(_ body: HTTPBody) {
        segments = body.segments
        count = body.count
    }

    var isAtEnd: Bool { position == count }

    mutating func rewind() {
        position = 0
        segment = 0
        offset = 0
    }

    /// Copies the next bytes; fewer than there is room for only at the end of the body.
    mutating func read(into destination: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        while filled < destination.count, segment < segments.count {
            let room = UnsafeMutableRawBufferPointer(rebasing: destination[filled...])
            let copied =
                switch segments[segment] {
                case .bytes(let bytes): bytes.withUnsafeBytes { copy($0, to: room) }
                case .slice(let slice): slice.withUnsafeBytes { copy($0, to: room) }
                }
            filled += copied
            offset += copied
            if offset == segments[segment].count {
                segment += 1
                offset = 0
            }
        }
        position += filled
        return filled
    }

    private func copy(_ bytes: UnsafeRawBufferPointer, to room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, bytes.count - offset)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
        return count
    }
}
