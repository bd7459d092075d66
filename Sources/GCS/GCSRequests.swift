import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// One request, before it has a token.
struct GCSRequest: Sendable {
    var operation: StoreOperation
    /// The object that errors are about; nil for requests to the bucket.
    var key: ObjectKey?
    var method: HTTPMethod
    var url: GCSURL
    var headers: HTTPHeaders = [:]
    var body: HTTPBody = .empty
    var sink: HTTPSink = .collect(limit: GCSRequest.replyLimit)
    var timeouts = HTTPTimeouts()
    /// Statuses besides 2xx that are an answer and no failure.
    var answers: [Int] = []

    /// Largest document that is read: 1,000 entries of a listing with long names and full metadata are smaller.
    static let replyLimit = 16 << 20

    init(_ operation: StoreOperation, _ method: HTTPMethod, _ url: GCSURL, key: ObjectKey?) {
        self.operation = operation
        self.method = method
        self.url = url
        self.key = key
    }

    mutating func setJSON(_ bytes: [UInt8]) {
        headers.append("content-type", "application/json; charset=UTF-8")
        body = .bytes(bytes)
    }

    mutating func setXML(_ bytes: [UInt8]) {
        headers.append("content-type", "application/xml")
        body = .bytes(bytes)
    }
}

/// A URL that grows by query parameters.
struct GCSURL: Sendable {
    private(set) var text: String
    private var hasQuery: Bool

    init(_ text: String) {
        self.text = text
        hasQuery = text.utf8.contains(UInt8(ascii: "?"))
    }

    /// - Parameter value: plain: letters, digits and what needs no encoding in a query.
    mutating func append(_ name: String, plain value: String) {
        text += hasQuery ? "&" : "?"
        hasQuery = true
        text += name
        if !value.isEmpty {
            text += "="
            text += value
        }
    }

    mutating func append(_ name: String, _ value: some Sequence<UInt8>) {
        append(name, plain: PercentEncoding.encode(value))
    }

    mutating func append(_ name: String, _ value: String) {
        append(name, value.utf8)
    }

    mutating func appendIfPresent(_ name: String, _ value: String?) {
        if let value { append(name, value) }
    }
}

/// The URLs of one bucket.
struct GCSAddress: Sendable {
    let bucket: String
    private let origin: String
    /// `…/storage/v1/b/BUCKET/o`
    private let objects: String
    /// `…/upload/storage/v1/b/BUCKET/o`
    private let uploads: String
    /// `…/BUCKET` of the XML API.
    private let xml: String

    init(_ endpoint: Endpoint, bucket: String) {
        self.bucket = bucket
        let name = PercentEncoding.encode(bucket)
        origin = endpoint.origin
        objects = "\(endpoint)/storage/v1/b/\(name)/o"
        uploads = "\(endpoint)/upload/storage/v1/b/\(name)/o"
        xml = "\(endpoint)/\(name)"
    }

    var list: GCSURL { GCSURL(objects) }

    func object(_ key: ObjectKey) -> GCSURL {
        GCSURL("\(objects)/\(PercentEncoding.encode(key.bytes))")
    }

    func rewrite(_ source: ObjectKey, to destination: ObjectKey) -> GCSURL {
        let bucket = PercentEncoding.encode(bucket)
        return GCSURL(
            "\(objects)/\(PercentEncoding.encode(source.bytes))/rewriteTo/b/\(bucket)/o/\(PercentEncoding.encode(destination.bytes))"
        )
    }

    func move(_ source: ObjectKey, to destination: ObjectKey) -> GCSURL {
        GCSURL(
            "\(objects)/\(PercentEncoding.encode(source.bytes))/moveTo/o/\(PercentEncoding.encode(destination.bytes))")
    }

    func insert(_ key: ObjectKey, uploadType: String) -> GCSURL {
        GCSURL("\(uploads)?uploadType=\(uploadType)&name=\(PercentEncoding.encode(key.bytes))")
    }

    /// In the XML API too the name is one segment: its slashes are encoded, so that no segment can be `..`.
    func xmlObject(_ key: ObjectKey) -> GCSURL {
        GCSURL("\(xml)/\(PercentEncoding.encode(key.bytes))")
    }

    var xmlBucket: GCSURL { GCSURL(xml) }

    /// The session at this path and query: always on the host that is configured, whatever host the server named.
    func session(_ path: String) -> GCSURL { GCSURL(origin + path) }
}

extension GCSURL {
    /// The conditions of a write on its destination.
    mutating func append(_ condition: WriteCondition, _ operation: StoreOperation, key: ObjectKey) throws(StoreError) {
        switch condition {
        case .absent: append("ifGenerationMatch", plain: "0")
        case .matches(let token): appendMatch(try GCSVersion(token, operation, key: key))
        case .unconditional: break
        }
    }

    mutating func appendMatch(_ version: GCSVersion) {
        append("ifGenerationMatch", plain: String(version.generation))
        append("ifMetagenerationMatch", plain: String(version.metageneration))
    }
}

extension GCSVersion {
    init(_ token: VersionToken, _ operation: StoreOperation, key: ObjectKey) throws(StoreError) {
        guard let version = GCSVersion(token) else {
            throw StoreError(
                .invalidRequest, operation, key: key, message: "\"\(token)\" is no version of a Cloud Storage object")
        }
        self = version
    }
}

extension HTTPHeaders {
    /// `x-goog-hash` with the CRC-32C, which the server compares with what it received.
    mutating func appendHash(of digest: ContentDigest?) {
        if let digest { append("x-goog-hash", "crc32c=" + ChecksumEncoding.base64BigEndian(digest.crc32c)) }
    }
}

extension ObjectChecksums {
    /// The checksums of the whole stored object in a reply's `x-goog-hash`: one header per algorithm or one for all.
    init(goog headers: HTTPHeaders, field name: String = "x-goog-hash") {
        self.init()
        for field in headers.fields where field.name == name {
            for item in field.value.split(separator: ",") {
                let item = item.drop { $0 == " " }
                if item.hasPrefix("crc32c=") {
                    crc32c = ChecksumEncoding.fromBase64BigEndian(String(item.dropFirst(7)))
                } else if item.hasPrefix("md5=") {
                    md5 = Base64.decode(String(item.dropFirst(4))).flatMap { $0.count == 16 ? $0 : nil }
                }
            }
        }
    }
}
