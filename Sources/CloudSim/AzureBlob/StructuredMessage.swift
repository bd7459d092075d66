import Digests
import NIOCore

/// The framing of `x-ms-structured-body: XSM/1.0; properties=crc64`: content in segments, each with its CRC64, and the
/// CRC64 of everything at the end. All numbers are little-endian.
enum StructuredMessage {
    static let headerValue = "XSM/1.0; properties=crc64"

    static let headerLength = 13
    static let segmentHeaderLength = 10
    static let checksumLength = 8
    static let segmentLength = 4 << 20
    static let checksumFlag: UInt16 = 1

    /// Frames `content` for a response.
    static func encode(_ content: Body) throws -> Body {
        let segments = max(1, (content.count + segmentLength - 1) / segmentLength)
        let total = headerLength + segments * (segmentHeaderLength + checksumLength) + content.count + checksumLength
        var header = ByteBufferAllocator().buffer(capacity: headerLength)
        header.writeInteger(UInt8(1))
        header.writeInteger(UInt64(total), endianness: .little)
        header.writeInteger(checksumFlag, endianness: .little)
        header.writeInteger(UInt16(segments), endianness: .little)
        var message = Body(header)
        var whole: UInt64 = 0
        for index in 0..<segments {
            let start = index * segmentLength
            let piece = content.slice(start..<min(content.count, start + segmentLength))
            var segmentHeader = ByteBufferAllocator().buffer(capacity: segmentHeaderLength)
            segmentHeader.writeInteger(UInt16(index + 1), endianness: .little)
            segmentHeader.writeInteger(UInt64(piece.count), endianness: .little)
            message.append(.memory(segmentHeader))
            message.append(piece)
            var checksum: UInt64 = 0
            try piece.forEachPiece { checksum = CRC64NVME.update(checksum, $0) }
            whole = CRC64NVME.combine(whole, checksum, lengthOfB: Int64(piece.count))
            message.append(.memory(ByteBuffer(integer: checksum, endianness: .little)))
        }
        message.append(.memory(ByteBuffer(integer: whole, endianness: .little)))
        return message
    }
}

/// Takes the frame off a structured request body, checks it, and passes the content on.
final class StructuredMessageDecoder: BodySink {
    private enum State {
        case header
        case segmentHeader
        case content(remaining: Int)
        case segmentChecksum
        case messageChecksum
        case end
    }

    private let destination: any BodySink
    private let messageLength: Int
    private let contentLength: Int

    private var state = State.header
    /// Bytes of a header or checksum that have not arrived whole.
    private var held = ByteBuffer()
    private var segments = 0
    private var segment = 0
    private var hasChecksums = false
    private var segmentChecksum: UInt64 = 0
    private var segmentCount = 0
    private var wholeChecksum: UInt64 = 0
    private var count = 0

    /// - Parameters:
    ///   - messageLength: the request's Content-Length.
    ///   - contentLength: `x-ms-structured-content-length`.
    init(into destination: any BodySink, messageLength: Int, contentLength: Int) {
        self.destination = destination
        self.messageLength = messageLength
        self.contentLength = contentLength
    }

    func receive(_ bytes: inout ByteBuffer) throws {
        while bytes.readableBytes > 0 {
            if case .content(let remaining) = state {
                var piece = bytes.readSlice(length: min(remaining, bytes.readableBytes))!
                try take(&piece, remaining: remaining)
            } else {
                let missing = fieldLength - held.readableBytes
                guard missing > 0 else { throw AzureError.invalidStructuredMessage("bytes after the end") }
                var piece = bytes.readSlice(length: min(missing, bytes.readableBytes))!
                held.writeBuffer(&piece)
            }
            try advance()
        }
    }

    /// Must be called when the body has ended.
    func finish() throws(AzureError) {
        guard case .end = state else { throw .invalidStructuredMessage("it ends early") }
        guard count == contentLength else {
            throw .invalidStructuredMessage("its content has \(count) bytes, not \(contentLength)")
        }
    }

    private func take(_ piece: inout ByteBuffer, remaining: Int) throws {
        let length = piece.readableBytes
        piece.withUnsafeReadableBytes { segmentChecksum = CRC64NVME.update(segmentChecksum, $0) }
        count += length
        guard count <= contentLength else { throw AzureError.invalidStructuredMessage("too much content") }
        try destination.receive(&piece)
        state = .content(remaining: remaining - length)
    }

    /// How many bytes the field that is due has.
    private var fieldLength: Int {
        switch state {
        case .header: StructuredMessage.headerLength
        case .segmentHeader: StructuredMessage.segmentHeaderLength
        case .segmentChecksum, .messageChecksum: StructuredMessage.checksumLength
        case .content, .end: 0
        }
    }

    /// Goes on for as long as what is needed next has arrived.
    private func advance() throws {
        while true {
            switch state {
            case .content(let remaining):
                guard remaining == 0 else { return }
                wholeChecksum = CRC64NVME.combine(wholeChecksum, segmentChecksum, lengthOfB: Int64(segmentCount))
                if hasChecksums { state = .segmentChecksum } else { endSegment() }
            case .end: return
            default:
                guard held.readableBytes == fieldLength else { return }
                var field = held
                held.clear()
                try readField(&field)
            }
        }
    }

    private func readField(_ field: inout ByteBuffer) throws {
        switch state {
        case .header: try readHeader(&field)
        case .segmentHeader: try readSegmentHeader(&field)
        case .segmentChecksum:
            try compare(&field, segmentChecksum)
            endSegment()
        case .messageChecksum:
            try compare(&field, wholeChecksum)
            state = .end
        case .content, .end: preconditionFailure("these states have no field")
        }
    }

    private func readHeader(_ field: inout ByteBuffer) throws {
        guard
            let (version, length, flags, segments) = field.readMultipleIntegers(
                endianness: .little, as: (UInt8, UInt64, UInt16, UInt16).self), version == 1
        else { throw AzureError.invalidStructuredMessage("its version is not 1") }
        guard length == UInt64(messageLength) else {
            throw AzureError.invalidStructuredMessage("it says it has \(length) bytes, not \(messageLength)")
        }
        guard flags & ~StructuredMessage.checksumFlag == 0 else {
            throw AzureError.invalidStructuredMessage("it has unknown flags")
        }
        hasChecksums = flags & StructuredMessage.checksumFlag != 0
        guard segments > 0 else { throw AzureError.invalidStructuredMessage("it has no segments") }
        self.segments = Int(segments)
        state = .segmentHeader
    }

    private func readSegmentHeader(_ field: inout ByteBuffer) throws {
        guard let (number, length) = field.readMultipleIntegers(endianness: .little, as: (UInt16, UInt64).self),
            Int(number) == segment + 1, length <= UInt64(contentLength)
        else { throw AzureError.invalidStructuredMessage("the header of segment \(segment + 1) is wrong") }
        segment += 1
        segmentCount = Int(length)
        segmentChecksum = 0
        state = .content(remaining: Int(length))
    }

    private func endSegment() {
        if segment < segments {
            state = .segmentHeader
        } else {
            state = hasChecksums ? .messageChecksum : .end
        }
    }

    private func compare(_ field: inout ByteBuffer, _ computed: UInt64) throws {
        let given: UInt64 = field.readInteger(endianness: .little)!
        guard given == computed else { throw AzureError.crc64Mismatch(given: given, computed: computed) }
    }
}
