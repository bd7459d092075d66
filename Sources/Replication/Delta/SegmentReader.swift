import Digests
import Manifests

/// Turns the bytes of one object, block by block, into its segments.
struct SegmentReader {
    private let size: Int64
    private var cutter: SegmentCutter
    private var hash = BLAKE3()
    private var digest = ContentDigest()
    /// Where the current segment begins.
    private var start: Int64 = 0

    init(size: Int64, _ limits: SegmentCutter.Limits) {
        self.size = size
        cutter = SegmentCutter(limits)
    }

    /// The segments that end in the next bytes; the last one of the object ends where the object does.
    mutating func read(_ block: UnsafeRawBufferPointer) -> [ContentSegment] {
        var segments: [ContentSegment] = []
        var rest = block
        while !rest.isEmpty {
            let end = cutter.cut(rest)
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(end ?? rest.count))
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
            hash.update(piece)
            digest.update(piece)
            if end != nil || start + digest.length == size { segments.append(finish()) }
        }
        return segments
    }

    private mutating func finish() -> ContentSegment {
        let segment = ContentSegment(offset: start, digest: digest, blake3: hash.finalize())
        start += digest.length
        hash = BLAKE3()
        digest = ContentDigest()
        return segment
    }
}
