import AWS
import Cryptography
import Digests
import HTTPStores
package import HTTPTransport
package import ObjectStores
package import ReplicationModel

/// One request to the bucket or to an object in it, before it has a host and a signature.
package struct S3Request: Sendable {
    var operation: StoreOperation
    /// The object that the path names and that errors are about; nil for requests to the bucket.
    var key: ObjectKey?
    var method: HTTPMethod
    var query = S3Query()
    var headers: HTTPHeaders
    var body: HTTPBody = .empty
    /// The value of `x-amz-content-sha256`.
    var payloadHash = AWSSigner.emptyPayloadHash
    var sink: HTTPSink = .collect(limit: S3Request.replyLimit)
    var timeouts = HTTPTimeouts()

    /// Largest document that is read: 1,000 entries of a listing with 1,024-byte keys, percent-encoded, need half of
    /// it.
    static let replyLimit = 8 << 20

    package init(_ operation: StoreOperation, _ method: HTTPMethod, key: ObjectKey?, headers: HTTPHeaders = [:]) {
        self.operation = operation
        self.method = method
        self.key = key
        self.headers = headers
    }

    /// A small document, hashed so that the signature covers it.
    mutating func setDocument(_ bytes: [UInt8]) {
        headers.append("content-type", "application/xml")
        body = .bytes(bytes)
        payloadHash = Hex.encode(SHA256.hash(bytes))
    }

    /// The encoded path below the bucket's address.
    package func path(at address: S3Address) -> String {
        guard let key else { return address.basePath.isEmpty ? "/" : address.basePath }
        return address.basePath + "/" + PercentEncoding.encode(key.bytes, keepSlash: true)
    }
}

/// Query parameters in the canonical form that is both sent and signed: encoded, sorted by name.
package struct S3Query: Sendable {
    package private(set) var text = ""
    private var last = ""

    package init() {}

    /// Parameters are appended in the order of their names.
    package mutating func append(_ name: String, _ value: String = "") {
        append(name, value.utf8)
    }

    mutating func append(_ name: String, _ value: some Sequence<UInt8>) {
        precondition(name > last, "query parameters must be appended in the order of their names")
        last = name
        if !text.isEmpty { text += "&" }
        text += name
        text += "="
        text += PercentEncoding.encode(value)
    }
}

extension HTTPHeaders {
    /// The condition of a write.
    mutating func append(_ condition: WriteCondition) {
        switch condition {
        case .absent: append("if-none-match", "*")
        case .matches(let version): append("if-match", version.quoted)
        case .unconditional: break
        }
    }

    mutating func appendChecksum(_ algorithm: S3ChecksumAlgorithm?, of digest: ContentDigest?) {
        if let algorithm, let digest { append(algorithm.header, algorithm.value(of: digest)) }
    }
}

extension VersionToken {
    /// An entity tag as headers and documents carry it.
    var quoted: String { "\"\(text)\"" }

    /// From an ETag with or without quotes. nil for none and for weak tags: those do not promise the same bytes.
    init?(entityTag: String?) {
        guard let entityTag, !entityTag.isEmpty, !entityTag.hasPrefix("W/") else { return nil }
        let text =
            entityTag.count >= 2 && entityTag.hasPrefix("\"") && entityTag.hasSuffix("\"")
            ? String(entityTag.dropFirst().dropLast()) : entityTag
        guard !text.isEmpty, !text.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") }) else { return nil }
        self.init(text)
    }
}
