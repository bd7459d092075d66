package import Cryptography
import Digests
import HTTPStores
package import HTTPTransport
import ReplicationModel

/// Signature Version 4: a pure function from a request to the value of its Authorization header.
///
/// S3 differs from Amazon's other services: the path is encoded once and its dot segments and double slashes stay.
/// Source: Amazon S3 API reference, authenticating requests; AWS general reference, Signature Version 4.
package enum AWSSigner {
    static let algorithm = "AWS4-HMAC-SHA256"
    /// Of a request without a body.
    package static let emptyPayloadHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    /// Of a body whose integrity a checksum header covers.
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"

    /// What a signature covers of a request.
    package struct Input {
        package var method: HTTPMethod
        /// Percent-encoded, as it is sent.
        package var path: String
        /// Encoded, sorted by name, `name=` for those without a value.
        package var query: String
        /// The Host header.
        package var authority: String
        /// All of them are signed.
        package var headers: HTTPHeaders
        /// Of the body in hex, or what S3 takes instead; S3 wants it as `x-amz-content-sha256` too.
        package var payloadHash: String

        package init(
            method: HTTPMethod, path: String, query: String, authority: String, headers: HTTPHeaders,
            payloadHash: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.authority = authority
            self.headers = headers
            self.payloadHash = payloadHash
        }
    }

    /// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
    package static func authorization(_ input: Input, time: SigningTime, key: SigningKey) -> String {
        let (canonical, signedHeaders) = canonicalRequest(input, for: key.service)
        let signature = sign(hash: SHA256.hash(canonical), time: time, key: key)
        return "\(algorithm) Credential=\(key.accessKeyID)/\(key.scope), "
            + "SignedHeaders=\(signedHeaders), Signature=\(signature)"
    }

    /// The canonical request as bytes, and the names of the headers in it.
    package static func canonicalRequest(
        _ input: Input, for service: AWSService
    ) -> (bytes: [UInt8], signedHeaders: String) {
        var unsorted = input.headers
        unsorted.append("host", input.authority)
        let headers = unsorted.fields.sorted { $0.name < $1.name }
        var names: [UInt8] = []
        names.reserveCapacity(256)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        func line(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(newline)
        }
        line(input.method.rawValue)
        line(service == .s3 ? input.path : normalized(input.path))
        line(input.query)
        for index in headers.indices {
            if index > 0, headers[index].name == headers[index - 1].name {
                // Repeated headers are one line, their values joined.
                bytes[bytes.count - 1] = UInt8(ascii: ",")
            } else {
                if !names.isEmpty { names.append(UInt8(ascii: ";")) }
                names.append(contentsOf: headers[index].name.utf8)
                bytes.append(contentsOf: headers[index].name.utf8)
                bytes.append(UInt8(ascii: ":"))
            }
            appendCollapsed(headers[index].value, to: &bytes)
            bytes.append(newline)
        }
        bytes.append(newline)
        bytes.append(contentsOf: names)
        bytes.append(newline)
        bytes.append(contentsOf: input.payloadHash.utf8)
        return (bytes, String(decoding: names, as: UTF8.self))
    }

    static func sign(hash: [UInt8], time: SigningTime, key: SigningKey) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(192)
        text.append(contentsOf: algorithm.utf8)
        text.append(newline)
        text.append(contentsOf: time.timestamp.utf8)
        text.append(newline)
        text.append(contentsOf: key.scope.utf8)
        text.append(newline)
        text.append(contentsOf: Hex.encode(hash).utf8)
        return Hex.encode(HMACSHA256.authenticate(key: key.bytes, message: text))
    }

    /// The path without dot segments and doubled slashes, each segment encoded once more.
    private static func normalized(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") {
            switch segment {
            case ".": break
            case "..": _ = segments.popLast()
            default: segments.append(segment)
            }
        }
        let encoded = segments.map { PercentEncoding.encode(String($0)) }.joined(separator: "/")
        return encoded.isEmpty ? "/" : "/\(encoded)\(path.hasSuffix("/") ? "/" : "")"
    }

    private static let newline = UInt8(ascii: "\n")

    /// Without blanks at the ends, and with one for each run of blanks inside.
    private static func appendCollapsed(_ value: String, to bytes: inout [UInt8]) {
        let start = bytes.count
        var pending = false
        for byte in value.utf8 {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                pending = bytes.count > start
            } else {
                if pending { bytes.append(UInt8(ascii: " ")) }
                pending = false
                bytes.append(byte)
            }
        }
    }
}

/// The moment of a signature in the two forms that it needs.
package struct SigningTime: Sendable {
    package let second: Int64
    /// `20261121T030405Z`, the value of `x-amz-date`.
    package let timestamp: String
    /// `20261121`.
    package let date: String

    package init(secondsSince1970 second: Int64) {
        self.second = second
        timestamp = CivilTime(secondsSince1970: second).basic
        date = String(timestamp.prefix(8))
    }
}

/// A service that requests are signed for: the name in the scope of a signature, and of its hosts.
package enum AWSService: String, Sendable {
    case s3, sts, kms, sqs
}

/// The key that signs for one day, region, service and access key: derived once, used for many requests.
package struct SigningKey: Sendable {
    package let accessKeyID: String
    /// `20261121/eu-west-1/s3/aws4_request`.
    let scope: String
    package let bytes: Secret
    package let date: String
    package let region: String
    package let service: AWSService

    package init(_ credentials: AWSCredentials, date: String, region: String, service: AWSService) {
        let first = credentials.secretAccessKey.withBytes { secret in
            var prefixed = Array("AWS4".utf8)
            prefixed.append(contentsOf: secret)
            return HMACSHA256.authenticate(key: prefixed, message: Array(date.utf8))
        }
        let second = HMACSHA256.authenticate(key: first, message: Array(region.utf8))
        let third = HMACSHA256.authenticate(key: second, message: Array(service.rawValue.utf8))
        bytes = Secret(HMACSHA256.authenticate(key: third, message: Array("aws4_request".utf8)))
        accessKeyID = credentials.accessKeyID
        scope = "\(date)/\(region)/\(service.rawValue)/aws4_request"
        self.date = date
        self.region = region
        self.service = service
    }
}
