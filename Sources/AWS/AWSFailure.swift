import FoundationEssentials
import HTTPStores
package import HTTPTransport
package import ObjectStores
import XMLStreaming

/// A refusal of one of Amazon's services other than S3, reduced to what decides about it.
package struct AWSFailure: Sendable {
    package var status: Int
    /// Without a namespace, e.g. `AccessDenied`; empty when the service named none.
    package var code: String
    /// The service's words, shortened and without control characters.
    package var message: String
    var requestID: String?
    var headers: HTTPHeaders

    private struct Document: Decodable {
        var type: String?
        var code: String?
        var message: String?
        var capitalMessage: String?

        private enum CodingKeys: String, CodingKey {
            case type = "__type"
            case code, message
            case capitalMessage = "Message"
        }
    }

    package init(_ response: HTTPResponse) {
        status = response.status
        headers = response.headers
        requestID = (headers["x-amzn-requestid"] ?? headers["x-amz-request-id"]).map(ServerText.readable)
        var code = headers["x-amzn-errortype"] ?? ""
        var message = ""
        if response.body.first == UInt8(ascii: "{") {
            if let document = try? JSONDecoder().decode(Document.self, from: Data(response.body)) {
                if code.isEmpty { code = document.type ?? document.code ?? "" }
                message = document.message ?? document.capitalMessage ?? ""
            }
        } else if let root = try? XMLElement.parse(response.body, limits: Self.limits) {
            let error = root.name == "Error" ? root : root.first("Error")
            code = error?.child("Code")?.text ?? code
            message = error?.child("Message")?.text ?? ""
            requestID = requestID ?? root.first("RequestId").map { ServerText.readable($0.text) }
        }
        // `com.amazonaws.sqs#QueueDoesNotExist:http://…` in its longest form.
        let name = code.prefix { $0 != ":" }
        self.code = ServerText.readable(String(name.split(separator: "#").last ?? ""))
        self.message = ServerText.readable(message)
    }

    private static let limits = XMLLimits(bytes: 1 << 16, depth: 16, elements: 1000)

    /// Whether other credentials would be taken: these have expired.
    var isExpiry: Bool {
        ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"].contains(code)
    }

    /// Whether the service is at fault, and only for now.
    var isPassing: Bool { verdict.retry == .transient && !isExpiry }

    private var isRedirect: Bool { (300..<400).contains(status) }

    /// Somebody else than the service that was meant answers there: nothing is said of who asks and what they may.
    static func redirects(_ host: String) -> String {
        "\(host) redirects, which is not followed with credentials; check its address"
    }

    /// Whether the request was refused because of its time.
    var isSkew: Bool {
        switch code {
        case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture": true
        case "InvalidSignatureException", "SignatureDoesNotMatch":
            message.contains("Signature expired") || message.contains("Signature not yet current")
        default: false
        }
    }

    /// The error of a call, as far as all services mean the same.
    ///
    /// - Parameters:
    ///   - host: who was asked.
    ///   - advice: what was refused and what to do, for people; not said when the service itself is at fault.
    ///   - isQuoted: whether the service's own words may be shown: not where it was sent a secret that it might repeat.
    ///   - now: seconds since 1970.
    package func error(
        _ operation: StoreOperation, of host: String, _ advice: String, isQuoted: Bool = true, now: Int64
    ) -> StoreError {
        let (errorCode, retry) = verdict
        var text = isPassing ? "\(host) cannot answer now" : isRedirect ? Self.redirects(host) : advice
        let words = [code, isQuoted ? message : ""].filter { !$0.isEmpty }.joined(separator: ": ")
        if !words.isEmpty, !isRedirect { text += " (the service says: \(words))" }
        var delayed = retry
        if retry == .transient, let delay = StoreError.retryAfter(headers, now: now) { delayed = .after(delay) }
        return StoreError(
            errorCode, operation, message: text, retry: delayed, status: status, serviceCode: code,
            requestID: requestID)
    }

    private var verdict: (code: StoreError.Code, retry: StoreError.Retry) {
        if isExpiry { return (.unauthenticated, .transient) }
        if code.hasPrefix("Throttl") || code.hasPrefix("TooManyRequests") || code.hasPrefix("RequestThrottled")
            || code == "RequestLimitExceeded" || code == "SlowDown" || status == 429
        {
            return (.throttled, .transient)
        }
        switch code {
        case "InternalFailure", "InternalError", "InternalServerException", "ServiceUnavailable",
            "ServiceUnavailableException", "IDPCommunicationError", "KMSInternalException", "KeyUnavailableException",
            "DependencyTimeoutException":
            return (.unavailable, .transient)
        case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
            "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
            "MissingAuthenticationTokenException", "InvalidIdentityToken", "IDPRejectedClaim", "UnauthorizedException":
            return (.unauthenticated, .never)
        default: break
        }
        switch status {
        case 500...: return (.unavailable, .transient)
        case 401: return (.unauthenticated, .never)
        case 403: return (.forbidden, .never)
        case 404: return (.notFound, .never)
        default: return (code.hasPrefix("AccessDenied") ? .forbidden : .invalidRequest, .never)
        }
    }
}
