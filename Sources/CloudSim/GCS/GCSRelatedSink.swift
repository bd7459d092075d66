import Glibc
import NIOCore

/// Takes a `multipart/related` body apart: an object resource in JSON, then the media, which streams to a writer.
///
/// Lines end as the first boundary's line does: CRLF in most clients, a bare LF in gcsfs. The media is what stands
/// before the line break of the closing boundary, so it may itself end in CR or LF.
final class GCSRelatedSink: BodySink {
    /// Bounds what stands before the media: the resource and the parts' headers.
    private static let headLimit = 1 << 20

    private enum State {
        case head
        case media
        case finished
    }

    private let boundary: [UInt8]
    private let makeWriter: (GCSResourceInput) throws -> BodyWriter
    private var state = State.head
    private var closing: [UInt8] = []
    /// Bytes that are not yet known to be media: the head, or as much as a boundary that is cut off could have.
    private var held = ByteBuffer()

    private(set) var resource = GCSResourceInput()
    private(set) var mediaType: String?
    private(set) var writer: BodyWriter?

    /// - Parameter makeWriter: is called once, when the resource is known and the media begins.
    init(boundary: String, makeWriter: @escaping (GCSResourceInput) throws -> BodyWriter) {
        self.boundary = Array("--\(boundary)".utf8)
        self.makeWriter = makeWriter
    }

    /// True when the closing boundary has come.
    var isComplete: Bool {
        if case .finished = state { true } else { false }
    }

    func receive(_ bytes: inout ByteBuffer) throws {
        switch state {
        case .finished: bytes.clear()
        case .head:
            held.writeBuffer(&bytes)
            try takeHead()
        case .media:
            try takeMedia(&bytes)
        }
    }

    /// Where `pattern` begins. It begins with a line break, which `memchr` finds quickly and data has rarely.
    private static func first(_ pattern: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress else { return nil }
        var offset = 0
        while bytes.count - offset >= pattern.count {
            let candidates = bytes.count - pattern.count + 1 - offset
            guard let found = memchr(start + offset, Int32(pattern[0]), candidates) else { return nil }
            offset = UnsafeRawPointer(found) - start
            if memcmp(found, pattern, pattern.count) == 0 { return offset }
            offset += 1
        }
        return nil
    }

    private func takeHead() throws {
        let head = held.withUnsafeReadableBytes { GCSRelatedHead($0, boundary: boundary) }
        guard let head else {
            guard held.readableBytes <= Self.headLimit else { throw GCSError.invalid("Malformed multipart body.") }
            return
        }
        resource = try GCSResourceInput(json: head.resource)
        mediaType = head.mediaType
        closing = head.lineBreak + boundary + Array("--".utf8)
        held.moveReaderIndex(forwardBy: head.length)
        writer = try makeWriter(resource)
        state = .media
        var media = held
        held = ByteBuffer()
        try takeMedia(&media)
    }

    /// Passes media on. The last bytes are held back for as long as they may begin the closing boundary.
    private func takeMedia(_ bytes: inout ByteBuffer) throws {
        if held.readableBytes > 0 {
            if bytes.readableBytes < closing.count {
                held.writeBuffer(&bytes)
                bytes = held
                held = ByteBuffer()
            } else if try settleHeld(bytes) {
                bytes.clear()
                return
            }
        }
        let found = bytes.withUnsafeReadableBytes { Self.first(closing, in: $0) }
        var media = bytes.readSlice(length: found ?? max(bytes.readableBytes - closing.count + 1, 0))!
        try writer?.receive(&media)
        if found == nil {
            // A copy, so that the large buffer is not kept for a few bytes.
            held = ByteBuffer(bytes: bytes.readableBytesView)
        } else {
            state = .finished
        }
        bytes.clear()
    }

    /// Decides about the bytes held back with those that follow; true when the closing boundary begins in them.
    private func settleHeld(_ next: ByteBuffer) throws -> Bool {
        var seam = held
        seam.writeBytes(next.readableBytesView.prefix(closing.count - 1))
        let found = seam.withUnsafeReadableBytes { Self.first(closing, in: $0) }
        let ends = found.map { $0 < held.readableBytes } ?? false
        var media = held.readSlice(length: ends ? found! : held.readableBytes)!
        held = ByteBuffer()
        try writer?.receive(&media)
        if ends { state = .finished }
        return ends
    }
}

/// What stands before the media in a `multipart/related` body.
struct GCSRelatedHead {
    var resource: [UInt8]
    var mediaType: String?
    var lineBreak: [UInt8]
    /// Where the media begins.
    var length: Int

    /// Nil while the head is not there completely.
    init?(_ bytes: UnsafeRawBufferPointer, boundary: [UInt8]) {
        var lines = Lines(bytes: bytes)
        while true {
            guard let line = lines.next() else { return nil }
            guard line.elementsEqual(boundary) else { continue }
            lineBreak = lines.endedWithCarriageReturn ? [13, 10] : [10]
            break
        }
        while true {
            guard let line = lines.next() else { return nil }
            if line.isEmpty { break }
        }
        let start = lines.position
        while true {
            let end = lines.position
            guard let line = lines.next() else { return nil }
            guard line.elementsEqual(boundary) else { continue }
            resource = Array(bytes[start..<end])
            break
        }
        while true {
            guard let line = lines.next() else { return nil }
            if line.isEmpty { break }
            let text = String(decoding: line, as: UTF8.self)
            guard let colon = text.firstIndex(of: ":") else { continue }
            if text[..<colon].lowercased() == "content-type" {
                mediaType = String(text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            }
        }
        length = lines.position
    }

    private struct Lines {
        let bytes: UnsafeRawBufferPointer
        var position = 0
        var endedWithCarriageReturn = false

        init(bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        /// The next complete line without its break.
        mutating func next() -> Slice<UnsafeRawBufferPointer>? {
            guard position < bytes.count,
                let found = memchr(bytes.baseAddress! + position, 10, bytes.count - position)
            else { return nil }
            var end = UnsafeRawPointer(found) - bytes.baseAddress!
            let start = position
            position = end + 1
            endedWithCarriageReturn = end > start && bytes[end - 1] == 13
            if endedWithCarriageReturn { end -= 1 }
            return bytes[start..<end]
        }
    }
}
