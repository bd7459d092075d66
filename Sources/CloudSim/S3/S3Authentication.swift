import Cryptography
import Digests
import NIOHTTP1

/// How a request's body is protected, from `x-amz-content-sha256`.
enum S3PayloadProtection {
    case unsigned
    /// The whole body has this SHA-256.
    case signed(sha256: [UInt8])
    /// aws-chunked framing; with a signing state when every chunk is signed.
    case chunked(S3ChunkSigning?, hasTrailer: Bool)
}

/// What is needed to verify the signatures of an aws-chunked body.
struct S3ChunkSigning {
    var key: [UInt8]
    var timestamp: String
    var scope: String
    /// The signature that the next chunk's is chained to.
    var previous: String
}

/// Checks who sends a request and whether it arrived as sent.
final class S3Authenticator {
    private static let maximumSkewSeconds: Int64 = 15 * 60

    private static let noDate = S3Error(
        403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")

    private let credentials: S3Credentials
    private let verifies: Bool
    private let clock: SimClock
    private var calculator: S3SignatureCalculator
    /// The latest timestamp parsed: clients send the same one for a second.
    private var latestTimestamp: (text: String, time: SimTime) = ("", SimTime(seconds: 0))

    init(_ services: SimServices) {
        credentials = services.configuration.s3
        verifies = services.configuration.verifiesSignatures
        clock = services.clock
        calculator = S3SignatureCalculator(secretKey: services.configuration.s3.secretKey)
    }

    /// The region the request was signed for, and the protection of its body.
    func authenticate(_ request: Request) throws(S3Error) -> (region: String?, payload: S3PayloadProtection) {
        let claim = try S3SignatureClaim(request)
        guard let claim else {
            guard !verifies else { throw .accessDenied }
            return (nil, try protection(request, nil))
        }
        guard verifies else { return (claim.region, try protection(request, nil)) }
        guard claim.accessKey == credentials.accessKey else {
            throw S3Error(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                fields: [("AWSAccessKeyId", claim.accessKey)])
        }
        try checkToken(request)
        try checkTime(claim)
        guard claim.service == "s3" else {
            throw S3Error(
                400, "AuthorizationHeaderMalformed",
                "The authorization header is malformed; incorrect service \"\(claim.service)\". This "
                    + "endpoint belongs to \"s3\"."
            )
        }
        try checkSignedHeaders(claim, request)
        let payloadHash = try payloadHash(claim, request)
        let expected = calculator.signature(claim, request, payloadHash: payloadHash)
        guard expected == claim.signature else {
            let canonical = S3SignatureCalculator.canonicalRequest(claim, request, payloadHash: payloadHash)
            throw S3Error(
                403, "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check "
                    + "your key and signing method.",
                fields: [
                    ("AWSAccessKeyId", claim.accessKey), ("SignatureProvided", claim.signature),
                    ("CanonicalRequest", String(decoding: canonical, as: UTF8.self)),
                ])
        }
        return (claim.region, try protection(request, claim))
    }

    private func checkToken(_ request: Request) throws(S3Error) {
        let token =
            request.receivedHeaders.first(name: "x-amz-security-token") ?? request.queryValue("X-Amz-Security-Token")
        switch (credentials.sessionToken, token) {
        case (nil, nil): return
        case (let expected?, let sent?) where expected == sent: return
        case (_?, nil):
            throw S3Error(
                403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                fields: [("AWSAccessKeyId", credentials.accessKey)])
        default:
            throw S3Error(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        }
    }

    private func checkTime(_ claim: S3SignatureClaim) throws(S3Error) {
        if latestTimestamp.text != claim.timestamp {
            guard let time = SimTime(iso8601: claim.timestamp) else { throw Self.noDate }
            latestTimestamp = (claim.timestamp, time)
        }
        let time = latestTimestamp.time
        guard claim.timestamp.hasPrefix(claim.day) else { throw Self.noDate }
        let age = clock.now.seconds - time.seconds
        if let expires = claim.expires {
            guard age <= Int64(expires) else {
                throw S3Error(
                    403, "AccessDenied", "Request has expired",
                    fields: [("X-Amz-Expires", String(expires)), ("ServerTime", clock.now.iso8601Seconds)])
            }
            guard age >= -Self.maximumSkewSeconds else {
                throw S3Error(403, "AccessDenied", "Request is not valid yet")
            }
        } else if abs(age) > Self.maximumSkewSeconds {
            throw .requestTimeTooSkewed(requestTime: claim.timestamp, clock.now)
        }
    }

    /// `host` and every `x-amz-` header must be under the signature.
    private func checkSignedHeaders(_ claim: S3SignatureClaim, _ request: Request) throws(S3Error) {
        var unsigned: [String] = claim.signedHeaders.contains("host") ? [] : ["host"]
        for (name, _) in request.receivedHeaders where name.utf8.count > 6 {
            // Cheap test first: most headers do not start with an x.
            guard let first = name.utf8.first, first | 0x20 == UInt8(ascii: "x") else { continue }
            let lower = name.lowercased()
            guard lower.hasPrefix("x-amz-"), !claim.signedHeaders.contains(lower[...]) else { continue }
            // Unsigned by design in presigned URLs, where the payload is not signed.
            if claim.isPresigned && lower == "x-amz-content-sha256" { continue }
            unsigned.append(lower)
        }
        guard unsigned.isEmpty else {
            throw S3Error(
                403, "AccessDenied", "There were headers present in the request which were not signed",
                fields: [("HeadersNotSigned", unsigned.joined(separator: ", "))])
        }
    }

    /// The last line of the canonical request.
    private func payloadHash(_ claim: S3SignatureClaim, _ request: Request) throws(S3Error) -> String {
        if claim.isPresigned {
            // A presigned URL may name the payload's hash as a signed header or parameter.
            if let value = request.queryValue("X-Amz-Content-Sha256") { return value }
            guard claim.signedHeaders.contains("x-amz-content-sha256") else { return "UNSIGNED-PAYLOAD" }
        }
        guard let value = request.header("x-amz-content-sha256") else {
            throw .invalidRequest("Missing required header for this request: x-amz-content-sha256")
        }
        return value
    }

    private func protection(_ request: Request, _ claim: S3SignatureClaim?) throws(S3Error) -> S3PayloadProtection {
        guard let value = request.header("x-amz-content-sha256") else { return .unsigned }
        var signing: S3ChunkSigning?
        if let claim {
            signing = S3ChunkSigning(
                key: calculator.signingKey(claim), timestamp: claim.timestamp, scope: claim.scope,
                previous: claim.signature)
        }
        switch value {
        case "UNSIGNED-PAYLOAD": return .unsigned
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": return .chunked(nil, hasTrailer: true)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": return .chunked(signing, hasTrailer: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": return .chunked(signing, hasTrailer: true)
        default:
            guard value.utf8.count == 64, let hash = Hex.decode(value) else {
                throw .invalidArgument(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER "
                        + "or a valid sha256 value.",
                    name: "x-amz-content-sha256", value: value)
            }
            return .signed(sha256: hash)
        }
    }
}
