import Cryptography
import Digests
import NIOCore

/// Takes a small body that is not stored, such as an XML document, with the checks of an upload.
final class S3DocumentSink: BodySink {
    private var chunks: S3ChunkDecoder?
    private let payload: S3PayloadProtection
    private let claimed: S3ClaimedChecksum
    private let claimedMD5: String?
    private let limit: Int
    private var collected = ByteBuffer()

    init(_ request: Request, _ payload: S3PayloadProtection, _ claimed: S3ClaimedChecksum, limit: Int) throws {
        self.payload = payload
        self.claimed = claimed
        self.limit = limit
        claimedMD5 = request.header("content-md5")
        if case .chunked(let signing, let hasTrailer) = payload {
            chunks = S3ChunkDecoder(signing: signing, hasTrailer: hasTrailer)
        }
    }

    func receive(_ bytes: inout ByteBuffer) throws {
        if chunks == nil {
            collected.writeBuffer(&bytes)
        } else {
            var received = collected
            collected = ByteBuffer()
            try chunks!.decode(&bytes) { received.writeBytes($0) }
            collected = received
        }
        guard collected.readableBytes <= limit else { throw BodyError.tooLarge(limit: limit) }
    }

    func finish() throws -> ByteBuffer {
        let trailers = try chunks?.finish() ?? [:]
        let bytes = Array(collected.readableBytesView)
        if case .signed(let sha256) = payload, SHA256.hash(bytes) != sha256 {
            throw S3Error(
                400, "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.")
        }
        if let claimedMD5, Base64.encode(MD5.hash(bytes)) != claimedMD5 { throw S3Error.badDigest("Content-MD5") }
        if let algorithm = claimed.algorithm {
            let value = claimed.isInTrailer ? trailers[algorithm.headerName] : claimed.value
            guard value == Base64.encode(algorithm.hash(bytes)) else { throw S3Error.badDigest(algorithm.rawValue) }
        }
        return collected
    }
}
