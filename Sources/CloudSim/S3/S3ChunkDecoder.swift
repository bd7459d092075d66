import Cryptography
import Digests
import NIOCore

/// Undoes `aws-chunked` framing: `hexlen[;chunk-signature=…]CRLF bytes CRLF … 0[;…]CRLF [trailers] CRLF`.
struct S3ChunkDecoder {
    /// Longest line of framing or trailer.
    private static let lineLimit = 4_096
    private static let trailerLimit = 16

    private enum State {
        case size
        case data(remaining: Int)
        case dataEnd
        case trailer
        case ended
    }

    private var state = State.size
    private var signing: S3ChunkSigning?
    private let hasTrailer: Bool
    private var trailers: [String: String] = [:]
    /// A line that is split between two reads.
    private var partialLine: [UInt8] = []
    /// The hash of the current chunk and the signature its header claims.
    private var chunkHash: SHA256?
    private var chunkSignature = ""

    init(signing: S3ChunkSigning?, hasTrailer: Bool) {
        self.signing = signing
        self.hasTrailer = hasTrailer
    }

    private static let malformed = S3Error(400, "InvalidRequest", "The aws-chunked body is malformed.")
    private static let badSignature = S3Error(
        403, "SignatureDoesNotMatch", "The chunk signature we calculated does not match the signature you provided.")

    /// Takes the next bytes and passes the payload among them on.
    mutating func decode(_ bytes: inout ByteBuffer, _ deliver: (UnsafeRawBufferPointer) throws -> Void) throws {
        while bytes.readableBytes > 0 {
            switch state {
            case .data(let remaining):
                let count = min(remaining, bytes.readableBytes)
                try bytes.readWithUnsafeReadableBytes { pointer in
                    let piece = UnsafeRawBufferPointer(rebasing: pointer[..<count])
                    chunkHash?.update(piece)
                    try deliver(piece)
                    return count
                }
                state = remaining == count ? .dataEnd : .data(remaining: remaining - count)
            case .size:
                if let line = try nextLine(&bytes) { try beginChunk(line) }
            case .dataEnd:
                if let line = try nextLine(&bytes) {
                    guard line.isEmpty else { throw Self.malformed }
                    try endChunk()
                    state = .size
                }
            case .trailer:
                if let line = try nextLine(&bytes) { try takeTrailer(line) }
            case .ended:
                throw Self.malformed
            }
        }
    }

    /// The trailers by lower-case name; throws when the body ended too early.
    mutating func finish() throws -> [String: String] {
        // Some clients leave out the empty line behind the last chunk or trailer.
        if case .trailer = state, partialLine.isEmpty, !hasTrailer || !trailers.isEmpty { state = .ended }
        guard case .ended = state else { throw S3Error.incompleteBody }
        if signing != nil, hasTrailer { try checkTrailerSignature() }
        return trailers
    }

    /// A line without its CRLF, or nil when it is not complete yet.
    private mutating func nextLine(_ bytes: inout ByteBuffer) throws -> [UInt8]? {
        let view = bytes.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            partialLine += view
            bytes.moveReaderIndex(forwardBy: bytes.readableBytes)
            guard partialLine.count <= Self.lineLimit else { throw Self.malformed }
            return nil
        }
        var line = partialLine + view[..<end]
        partialLine = []
        bytes.moveReaderIndex(forwardBy: end - view.startIndex + 1)
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard line.count <= Self.lineLimit else { throw Self.malformed }
        return line
    }

    private mutating func beginChunk(_ line: [UInt8]) throws {
        let text = String(decoding: line, as: UTF8.self)
        let parts = text.split(separator: ";", maxSplits: 1)
        guard let digits = parts.first, let size = Int(digits, radix: 16), size >= 0 else { throw Self.malformed }
        if signing != nil {
            guard parts.count == 2, parts[1].hasPrefix("chunk-signature=") else { throw Self.malformed }
            chunkSignature = String(parts[1].dropFirst("chunk-signature=".count))
            chunkHash = SHA256()
        }
        if size > 0 {
            state = .data(remaining: size)
        } else {
            try endChunk()
            state = .trailer
        }
    }

    private mutating func endChunk() throws {
        guard signing != nil, let hash = chunkHash else { return }
        let emptyHash = Hex.encode(SHA256.hash([] as [UInt8]))
        try check(
            chunkSignature, "AWS4-HMAC-SHA256-PAYLOAD", "\(emptyHash)\n\(Hex.encode(hash.finalize()))")
        chunkHash = nil
    }

    private mutating func takeTrailer(_ line: [UInt8]) throws {
        guard !line.isEmpty else {
            state = .ended
            return
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), trailers.count < Self.trailerLimit else {
            throw Self.malformed
        }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
        trailers[name] = String(value.drop { $0 == " " })
    }

    private mutating func checkTrailerSignature() throws {
        guard let claimed = trailers.removeValue(forKey: "x-amz-trailer-signature") else { throw Self.badSignature }
        let text = trailers.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)\n" }.joined()
        try check(claimed, "AWS4-HMAC-SHA256-TRAILER", Hex.encode(SHA256.hash(Array(text.utf8))))
    }

    private mutating func check(_ claimed: String, _ algorithm: String, _ hashes: String) throws {
        let signing = self.signing!
        let text = "\(algorithm)\n\(signing.timestamp)\n\(signing.scope)\n\(signing.previous)\n\(hashes)"
        let expected = Hex.encode(HMACSHA256.authenticate(key: signing.key, message: Array(text.utf8)))
        guard claimed == expected else { throw Self.badSignature }
        self.signing!.previous = expected
    }
}
