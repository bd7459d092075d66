import Digests
import NIOCore
import NIOHTTP1

/// The S3 API, path style and virtual-hosted style. Confined to the event loop.
final class S3FrontEnd: FrontEnd {
    /// The account that owns everything, for `x-amz-expected-bucket-owner` and listings.
    static let owner = "123456789012"
    /// Bodies that are XML, or nothing.
    static let xmlLimit = 4 << 20

    let services: SimServices
    let dates = S3DateCache()
    /// Answers of completed uploads, so that a repeated Complete gets the same one.
    var completions = S3CompletionLog()
    private let authenticator: S3Authenticator

    init(_ services: SimServices) {
        self.services = services
        authenticator = S3Authenticator(services)
    }

    var cloud: Cloud { services.cloud }
    var storage: CloudStorage { services.storage }
    var standingDigests: DigestSet { .crc64nvme }

    func classify(_ request: Request) -> RequestTarget {
        let address = S3Address(request)
        let operation = S3Operation(request, hasBucket: address.bucket != nil, hasKey: address.key != nil)
        return RequestTarget(operation.rawValue, operation.kind, bucket: address.bucket, key: address.key)
    }

    func handle(_ exchange: Exchange) {
        do {
            let (region, payload) = try authenticator.authenticate(exchange.request)
            let call = S3Call(exchange: exchange, payload: payload, region: region)
            try checkKey(exchange.target.key)
            try dispatch(S3Operation(rawValue: exchange.target.operation)!, call)
        } catch {
            refuse(exchange, error)
        }
    }

    /// Answers with an error; ones that are not the client's doing become InternalError.
    func refuse(_ exchange: Exchange, _ error: any Error) {
        if case BodyError.connectionClosed = error { return }
        let failure: S3Error
        switch error {
        case let known as S3Error: failure = known
        case BodyError.tooLarge: failure = .entityTooLarge
        default: failure = S3Error(500, "InternalError", "\(error)")
        }
        exchange.respond(response(to: failure, exchange))
    }

    /// Runs a step whose errors are the answer.
    func answer(_ exchange: Exchange, _ step: () throws -> Response) {
        do {
            exchange.respond(try step())
        } catch {
            refuse(exchange, error)
        }
    }

    private func checkKey(_ key: ObjectName?) throws(S3Error) {
        guard let key else { return }
        guard key.bytes.count <= 1_024 else {
            throw S3Error(
                400, "KeyTooLongError", "Your key is too long",
                fields: [("Size", String(key.bytes.count)), ("MaxSizeAllowed", "1024")])
        }
        guard String(validating: key.bytes, as: UTF8.self) != nil else {
            throw S3Error(400, "InvalidURI", "Couldn't parse the specified URI.")
        }
    }

    private func dispatch(_ operation: S3Operation, _ call: S3Call) throws {
        switch operation {
        case .getObject, .headObject: try getObject(call)
        case .putObject: try putObject(call)
        case .uploadPart: try uploadPart(call)
        case .listObjects: try listObjects(call)
        case .listObjectsV2: try listObjectsV2(call)
        case .deleteObject: try deleteObject(call)
        case .deleteObjects: try deleteObjects(call)
        case .copyObject: try copyObject(call)
        case .uploadPartCopy: try uploadPartCopy(call)
        case .createMultipartUpload: try createMultipartUpload(call)
        case .completeMultipartUpload: try completeMultipartUpload(call)
        case .abortMultipartUpload: try abortMultipartUpload(call)
        case .listParts: try listParts(call)
        case .listMultipartUploads: try listMultipartUploads(call)
        case .listObjectVersions: try listObjectVersions(call)
        case .getObjectAttributes: try getObjectAttributes(call)
        case .getObjectTagging: try getObjectTagging(call)
        case .putObjectTagging: try putObjectTagging(call)
        case .deleteObjectTagging: try deleteObjectTagging(call)
        case .restoreObject: try restoreObject(call)
        case .listBuckets: try listBuckets(call)
        case .createBucket: try createBucket(call)
        case .headBucket: try headBucket(call)
        case .deleteBucket: try deleteBucket(call)
        case .getBucketLocation: try getBucketLocation(call)
        case .getBucketVersioning: try getBucketVersioning(call)
        case .putBucketVersioning: try putBucketVersioning(call)
        case .notImplemented: throw S3Error.notImplemented(call.request.uri)
        }
    }

    /// The request's bucket, if it exists, is in the region signed for and belongs to whom the client expects.
    func bucket(_ call: S3Call) throws(S3Error) -> Bucket {
        let name = call.exchange.target.bucket ?? ""
        guard let bucket = storage.bucket(name) else { throw .noSuchBucket(name) }
        let region = bucket.properties.region
        if let signed = call.region, signed != region {
            throw S3Error(
                301, "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint.",
                fields: [("Bucket", name), ("Region", region), ("Endpoint", String(services.endpoint.dropFirst(7)))],
                headers: [("x-amz-bucket-region", region)])
        }
        if let owner = call.request.header("x-amz-expected-bucket-owner"), owner != Self.owner { throw .accessDenied }
        return bucket
    }

    func etag(for digests: BodyDigests) -> String {
        let bytes = services.configuration.etag == .md5 ? digests.md5 : nil
        return "\"\(Hex.encode(bytes ?? storage.randomBytes(16)))\""
    }

    /// The headers that every answer carries.
    func standardHeaders() -> HTTPHeaders {
        let requestID = services.nextRequestID()
        return ["x-amz-request-id": requestID, "x-amz-id-2": requestID]
    }

    func xml(_ body: XMLBuffer, _ headers: HTTPHeaders? = nil) -> Response {
        Response(.ok, contentType: "application/xml", headers: headers ?? standardHeaders(), bytes: body.buffer)
    }

    /// The ETag as a document tells it: another one, or none, where a fault says so.
    func toldETag(_ etag: String, _ exchange: Exchange) -> String? {
        if exchange.fault(.missingETag) != nil {
            exchange.didFire(.missingETag)
            return nil
        }
        guard exchange.fault(.wrongETag) != nil else { return etag }
        exchange.didFire(.wrongETag)
        return "\"00000000000000000000000000000bad\""
    }

    /// The checksum as a document tells it: of other bytes where a fault says so.
    func toldChecksum(_ value: String, _ exchange: Exchange) -> String {
        guard exchange.fault(.wrongChecksum) != nil else { return value }
        exchange.didFire(.wrongChecksum)
        return (value.hasPrefix("A") ? "B" : "A") + value.dropFirst()
    }

    /// Digests to compute for ETags.
    var etagDigests: DigestSet { services.configuration.etag == .md5 ? .md5 : [] }

    /// Random version id in a versioned bucket, the null version elsewhere.
    func newVersionID(_ bucket: Bucket) -> String? {
        bucket.properties.versioning == .on ? Hex.encode(storage.randomBytes(16)) : nil
    }
}

/// A request that has been authenticated.
struct S3Call {
    let exchange: Exchange
    let payload: S3PayloadProtection
    /// The region of the signature; nil for unsigned requests.
    let region: String?

    var request: Request { exchange.request }
    var key: ObjectName { exchange.target.key ?? ObjectName("") }
}
