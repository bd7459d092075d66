import Cryptography
import Digests
import NIOHTTP1

/// What a request claims about its signature, in its Authorization header or in its query.
struct S3SignatureClaim {
    var accessKey: String
    /// `yyyyMMdd` of the credential scope.
    var day: Substring
    var region: String
    var service: Substring
    var signedHeaders: [Substring]
    var signature: String
    /// The request's time as signed, `yyyyMMddTHHmmssZ`.
    var timestamp: String
    var isPresigned: Bool
    /// Lifetime of a presigned URL in seconds.
    var expires: Int?

    /// The claim, nil for an anonymous request.
    init?(_ request: Request) throws(S3Error) {
        if let authorization = request.receivedHeaders.first(name: "authorization") {
            try self.init(header: authorization, request)
        } else if request.hasQuery("X-Amz-Signature") || request.hasQuery("X-Amz-Algorithm") {
            try self.init(query: request)
        } else {
            return nil
        }
    }

    private init(header: String, _ request: Request) throws(S3Error) {
        let scheme = "AWS4-HMAC-SHA256 "
        guard header.hasPrefix(scheme) else {
            throw S3Error(400, "InvalidArgument", "Unsupported Authorization Type")
        }
        var credential: Substring?
        var headers: Substring?
        var signature: Substring?
        // On bytes: splitting by characters is most of what a small request would cost.
        for field in header.utf8.dropFirst(scheme.utf8.count).split(separator: UInt8(ascii: ",")) {
            let pair = field.drop { $0 == UInt8(ascii: " ") }.split(separator: UInt8(ascii: "="), maxSplits: 1)
            guard pair.count == 2 else { continue }
            switch Substring(pair[0]) {
            case "Credential": credential = Substring(pair[1])
            case "SignedHeaders": headers = Substring(pair[1])
            case "Signature": signature = Substring(pair[1])
            default: break
            }
        }
        guard let credential, let headers, let signature else {
            throw S3Error(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
        }
        guard let timestamp = request.header("x-amz-date") else {
            throw S3Error(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        }
        try self.init(
            credential: credential, signedHeaders: headers, signature: String(signature), timestamp: timestamp)
    }

    private init(query request: Request) throws(S3Error) {
        guard request.queryValue("X-Amz-Algorithm") == "AWS4-HMAC-SHA256",
            let credential = request.queryValue("X-Amz-Credential"),
            let signature = request.queryValue("X-Amz-Signature"),
            let headers = request.queryValue("X-Amz-SignedHeaders"), let timestamp = request.queryValue("X-Amz-Date"),
            let expires = request.queryValue("X-Amz-Expires").flatMap({ Int($0) }), (1...604_800).contains(expires)
        else {
            throw S3Error(
                400, "AuthorizationQueryParametersError",
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                    + "X-Amz-Signature, "
                    + "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
        }
        try self.init(
            credential: credential[...], signedHeaders: headers[...], signature: signature, timestamp: timestamp)
        isPresigned = true
        self.expires = expires
    }

    private init(
        credential: Substring, signedHeaders: Substring, signature: String, timestamp: String
    ) throws(S3Error) {
        // The access key may contain slashes; the scope is the last four fields.
        let fields = credential.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            Substring($0)
        }
        guard fields.count >= 5, fields.last == "aws4_request" else {
            throw S3Error(
                400, "AuthorizationHeaderMalformed",
                "The authorization header is malformed; the Credential is mal-formed.")
        }
        accessKey = fields[..<(fields.count - 4)].joined(separator: "/")
        day = fields[fields.count - 4]
        region = String(fields[fields.count - 3])
        service = fields[fields.count - 2]
        self.signedHeaders = signedHeaders.utf8.split(separator: UInt8(ascii: ";")).map { Substring($0) }
        self.signature = signature
        self.timestamp = timestamp
        isPresigned = false
    }

    /// `yyyyMMdd/region/service/aws4_request`
    var scope: String { "\(day)/\(region)/\(service)/aws4_request" }
}

/// SigV4 on the server's side, written from the protocol description alone.
struct S3SignatureCalculator {
    private let secretKey: String
    private var cachedScope = ""
    private var cachedKey: [UInt8] = []

    init(secretKey: String) {
        self.secretKey = secretKey
    }

    /// The signing key of the claim's scope; derived when the scope changes.
    mutating func signingKey(_ claim: S3SignatureClaim) -> [UInt8] {
        let scope = claim.scope
        if scope != cachedScope {
            var key = Array("AWS4\(secretKey)".utf8)
            for step in [String(claim.day), claim.region, String(claim.service), "aws4_request"] {
                key = HMACSHA256.authenticate(key: key, message: Array(step.utf8))
            }
            cachedScope = scope
            cachedKey = key
        }
        return cachedKey
    }

    mutating func signature(_ claim: S3SignatureClaim, _ request: Request, payloadHash: String) -> String {
        let canonical = Self.canonicalRequest(claim, request, payloadHash: payloadHash)
        var text = Array("AWS4-HMAC-SHA256\n\(claim.timestamp)\n\(claim.scope)\n".utf8)
        text += Hex.encode(SHA256.hash(canonical)).utf8
        return Hex.encode(HMACSHA256.authenticate(key: signingKey(claim), message: text))
    }

    static func canonicalRequest(_ claim: S3SignatureClaim, _ request: Request, payloadHash: String) -> [UInt8] {
        let newline = UInt8(ascii: "\n")
        var text: [UInt8] = []
        text.reserveCapacity(768)
        text += request.method.utf8
        text.append(newline)
        PercentCoding.appendEncoded(PercentCoding.decode(request.rawPath.utf8), keepingSlash: true, to: &text)
        text.append(newline)
        text += canonicalQuery(request)
        text.append(newline)
        for name in claim.signedHeaders {
            text += name.utf8
            text.append(UInt8(ascii: ":"))
            appendCanonicalValue(request.receivedHeaders, String(name), to: &text)
            text.append(newline)
        }
        text.append(newline)
        for (index, name) in claim.signedHeaders.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ";")) }
            text += name.utf8
        }
        text.append(newline)
        text += payloadHash.utf8
        return text
    }

    private static func canonicalQuery(_ request: Request) -> [UInt8] {
        guard !request.query.isEmpty else { return [] }
        var items: [(name: [UInt8], value: [UInt8])] = []
        // From the raw text, so that bytes that are not UTF-8 survive.
        for item in request.rawQuery.utf8.split(separator: UInt8(ascii: "&")) {
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = PercentCoding.decode(parts[0], plusIsSpace: true)
            if name.elementsEqual("X-Amz-Signature".utf8) { continue }
            var encodedName: [UInt8] = []
            var encodedValue: [UInt8] = []
            PercentCoding.appendEncoded(name, keepingSlash: false, to: &encodedName)
            if parts.count == 2 {
                PercentCoding.appendEncoded(
                    PercentCoding.decode(parts[1], plusIsSpace: true), keepingSlash: false, to: &encodedValue)
            }
            items.append((encodedName, encodedValue))
        }
        items.sort { a, b in
            a.name == b.name ? a.value.lexicographicallyPrecedes(b.value) : a.name.lexicographicallyPrecedes(b.name)
        }
        var text: [UInt8] = []
        for (index, item) in items.enumerated() {
            if index > 0 { text.append(UInt8(ascii: "&")) }
            text += item.name
            text.append(UInt8(ascii: "="))
            text += item.value
        }
        return text
    }

    /// All values of a header, trimmed, inner runs of blanks made one, joined by commas.
    private static func appendCanonicalValue(_ headers: HTTPHeaders, _ name: String, to text: inout [UInt8]) {
        var isFirst = true
        for value in headers[name] {
            if !isFirst { text.append(UInt8(ascii: ",")) }
            isFirst = false
            var pendingBlank = false
            let start = text.count
            for byte in value.utf8 {
                if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                    pendingBlank = text.count > start
                } else {
                    if pendingBlank { text.append(UInt8(ascii: " ")) }
                    pendingBlank = false
                    text.append(byte)
                }
            }
        }
    }
}
