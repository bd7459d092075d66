import Digests
import NIOCore
import NIOHTTP1

/// Takes the body of an upload: undoes aws-chunked framing, stores the bytes, and checks what the client claimed.
final class S3BodySink: BodySink {
    static let maximumSize = 5 << 30

    private let writer: BodyWriter
    private var chunks: S3ChunkDecoder?
    private let claimed: S3ClaimedChecksum
    private let claimedMD5: [UInt8]?
    private let payload: S3PayloadProtection
    private let expectedLength: Int
    private let believesChecksums: Bool

    /// - Parameter computed: digests to compute besides those the request claims.
    init(
        _ request: Request, _ payload: S3PayloadProtection, _ storage: CloudStorage, computing computed: DigestSet,
        claimed: S3ClaimedChecksum
    ) throws {
        self.payload = payload
        believesChecksums = request.believesChecksums
        self.claimed = claimed
        var digests = computed
        if let algorithm = claimed.algorithm { digests.formUnion(algorithm.digest) }
        if let text = request.header("content-md5") {
            guard let md5 = Base64.decode(text), md5.count == 16 else {
                throw S3Error(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
            }
            claimedMD5 = md5
            digests.insert(.md5)
        } else {
            claimedMD5 = nil
        }
        switch payload {
        case .unsigned: break
        case .signed: digests.insert(.sha256)
        case .chunked(let signing, let hasTrailer):
            chunks = S3ChunkDecoder(signing: signing, hasTrailer: hasTrailer)
        }
        guard let length = Self.length(request, isChunked: chunks != nil) else { throw S3Error.missingContentLength }
        guard length <= Self.maximumSize else { throw S3Error.entityTooLarge }
        expectedLength = length
        writer = try storage.makeWriter(expectedLength: length, digests: digests)
    }

    private static func length(_ request: Request, isChunked: Bool) -> Int? {
        if isChunked { return request.header("x-amz-decoded-content-length").flatMap { Int($0) } }
        return request.contentLength
    }

    func receive(_ bytes: inout ByteBuffer) throws {
        if chunks == nil {
            try writer.receive(&bytes)
        } else {
            try chunks!.decode(&bytes) { piece in try writer.receive(piece) }
        }
        guard writer.count <= expectedLength else { throw S3Error.incompleteBody }
    }

    /// The stored body, once everything that the client claimed has proved true.
    func finish() throws -> (body: Body, digests: BodyDigests) {
        let trailers = try chunks?.finish() ?? [:]
        guard writer.count == expectedLength else { throw S3Error.incompleteBody }
        let (body, digests) = try writer.finish()
        if case .signed(let sha256) = payload, digests.sha256 != sha256 {
            throw S3Error(
                400, "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                fields: [("S3ComputedContentSHA256", digests.sha256.map { Hex.encode($0) } ?? "")])
        }
        if let claimedMD5, digests.md5 != claimedMD5 { throw S3Error.badDigest("Content-MD5") }
        if let algorithm = claimed.algorithm {
            let value = claimed.isInTrailer ? trailers[algorithm.headerName] : claimed.value
            guard let value else {
                throw S3Error(
                    400, "MalformedTrailerError",
                    "The request contained trailing data that was not well-formed or did not conform to "
                        + "our published schema."
                )
            }
            guard believesChecksums || value == algorithm.base64(digests) else {
                throw S3Error.badDigest(algorithm.rawValue)
            }
        }
        return (body, digests)
    }
}
