import NIOCore
import NIOHTTP1

/// An error as S3 answers it.
struct S3Error: Error {
    var status: Int
    var code: String
    var message: String
    /// Further elements of the XML body, such as `Region` or `Condition`.
    var fields: [(String, String)] = []
    var headers: [(String, String)] = []

    init(
        _ status: Int, _ code: String, _ message: String, fields: [(String, String)] = [],
        headers: [(String, String)] = []
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.headers = headers
    }

    static let accessDenied = S3Error(403, "AccessDenied", "Access Denied")
    static let noSuchUpload = S3Error(
        404, "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            + "aborted or completed."
    )
    static let malformedXML = S3Error(
        400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"
    )
    static let methodNotAllowed = S3Error(
        405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    static let missingContentLength = S3Error(
        411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    static let entityTooLarge = S3Error(
        400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    static let incompleteBody = S3Error(
        400, "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length or x-amz-decoded-content-length header"
    )

    static func noSuchKey(_ name: ObjectName) -> S3Error {
        S3Error(404, "NoSuchKey", "The specified key does not exist.", fields: [("Key", name.text)])
    }

    static func noSuchBucket(_ name: String) -> S3Error {
        S3Error(404, "NoSuchBucket", "The specified bucket does not exist", fields: [("BucketName", name)])
    }

    static func invalidArgument(_ message: String, name: String = "", value: String = "") -> S3Error {
        let fields = name.isEmpty ? [] : [("ArgumentName", name), ("ArgumentValue", value)]
        return S3Error(400, "InvalidArgument", message, fields: fields)
    }

    static func invalidRequest(_ message: String) -> S3Error {
        S3Error(400, "InvalidRequest", message)
    }

    static func badDigest(_ algorithm: String) -> S3Error {
        S3Error(400, "BadDigest", "The \(algorithm) you specified did not match the calculated checksum.")
    }

    static func preconditionFailed(_ condition: String) -> S3Error {
        S3Error(
            412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold",
            fields: [("Condition", condition)])
    }

    static func notImplemented(_ what: String) -> S3Error {
        S3Error(
            501, "NotImplemented",
            "A header or parameter you provided implies functionality that is not implemented: \(what)",
            fields: [("Header", what)])
    }

    /// The usual code of a status, for faults that name only the status.
    static func usual(_ status: Int, code: String?, message: String?) -> S3Error {
        let known: [Int: (String, String)] = [
            301: (
                "PermanentRedirect", "The bucket you are attempting to access must be addressed using another endpoint."
            ),
            400: ("InvalidRequest", "Invalid Request"), 403: ("AccessDenied", "Access Denied"),
            404: ("NoSuchKey", "The specified key does not exist."), 405: ("MethodNotAllowed", "Method Not Allowed"),
            409: ("OperationAborted", "A conflicting conditional operation is currently in progress."),
            412: ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
            416: ("InvalidRange", "The requested range is not satisfiable"),
            429: ("TooManyRequests", "Please reduce your request rate."),
            500: ("InternalError", "We encountered an internal error. Please try again."),
            501: ("NotImplemented", "A header you provided implies functionality that is not implemented"),
            503: ("SlowDown", "Please reduce your request rate."),
            507: ("InsufficientStorage", "The quota is used up."),
        ]
        let usual = known[status] ?? ("InternalError", "The server answers \(status).")
        return S3Error(status, code ?? usual.0, message ?? usual.1)
    }
}

extension S3FrontEnd {
    func response(to error: S3Error, _ exchange: Exchange) -> Response {
        var headers = HTTPHeaders()
        let requestID = services.nextRequestID()
        headers.add(name: "x-amz-request-id", value: requestID)
        headers.add(name: "x-amz-id-2", value: requestID)
        for (name, value) in error.headers { headers.add(name: name, value: value) }
        if let bucket = exchange.target.bucket.flatMap(services.storage.bucket) {
            headers.replaceOrAdd(name: "x-amz-bucket-region", value: bucket.properties.region)
        }
        let status = HTTPResponseStatus(statusCode: error.status)
        // An answer to HEAD, and a 304, have no body that could say more.
        if exchange.request.method == "HEAD" || error.status == 304 { return Response(status, headers: headers) }
        var xml = XMLBuffer()
        xml.raw("<Error>")
        xml.element("Code", error.code)
        xml.element("Message", error.message)
        for (name, value) in error.fields { xml.element(name, value) }
        xml.element("Resource", String(decoding: exchange.request.path, as: UTF8.self))
        xml.element("RequestId", requestID)
        xml.element("HostId", requestID)
        xml.raw("</Error>")
        return Response(status, contentType: "application/xml", headers: headers, bytes: xml.buffer)
    }

    func errorResponse(_ error: FaultError, _ exchange: Exchange) -> Response {
        switch error {
        case .status(let status, let code, let message):
            var failure = S3Error.usual(status, code: code, message: message)
            // These two name the right region, in the body as well as in the header.
            if failure.code == "AuthorizationHeaderMalformed" || failure.code == "PermanentRedirect" {
                let region = exchange.target.bucket.flatMap(services.storage.bucket)?.properties.region
                failure.fields.append(("Region", region ?? services.configuration.s3.region))
            }
            return response(to: failure, exchange)
        case .expiredCredentials:
            return response(to: S3Error(400, "ExpiredToken", "The provided token has expired."), exchange)
        case .clockSkewed:
            return response(to: .requestTimeTooSkewed(requestTime: "", services.clock.now), exchange)
        case .slowDown:
            return response(to: .usual(503, code: nil, message: nil), exchange)
        case .notImplemented:
            return response(to: .usual(501, code: nil, message: nil), exchange)
        }
    }
}

extension S3Error {
    static func requestTimeTooSkewed(requestTime: String, _ now: SimTime) -> S3Error {
        S3Error(
            403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
            fields: [
                ("RequestTime", requestTime), ("ServerTime", now.iso8601Seconds),
                ("MaxAllowedSkewMilliseconds", "900000"),
            ])
    }
}
