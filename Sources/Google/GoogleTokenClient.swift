import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores

/// Asks the services that hand out tokens: one attempt for each call.
struct GoogleTokenClient: Sendable {
    let environment: [String: String]
    let transport: any HTTPTransport
    /// Seconds since 1970.
    let now: @Sendable () -> Int64

    private static let replyLimit = 64 << 10
    /// Seconds; Google's tokens live for an hour, or half a day where an organisation allows it.
    static let longestLifetime: Int64 = 86_400

    /// What a token service answers (RFC 6749, 5.1).
    private struct Reply: Decodable {
        var accessToken: String
        var expiresIn: Int64

        private enum CodingKeys: String, CodingKey {
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    /// A call to a token service, of which errors are to tell.
    struct Call: Sendable {
        var method = HTTPMethod.post
        /// Without a query, or with one that is no secret.
        var url: String
        var headers: HTTPHeaders = [:]
        var body = HTTPBody.empty
        var timeouts = HTTPTimeouts()
        var reach = HTTPReach.service
        /// What to do when the service refuses.
        var advice: String

        /// For people: without the query.
        var place: String { String(url.prefix { $0 != "?" }) }
    }

    /// Sends a form and reads the token in the reply.
    ///
    /// - Parameter authorization: value of the header of that name.
    func token(
        from url: String, form: [(name: String, value: String)], authorization: String? = nil, advice: String
    ) async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        var headers: HTTPHeaders = ["content-type": "application/x-www-form-urlencoded"]
        headers.appendIfPresent("authorization", authorization)
        let body = form.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
        let time = now()
        let call = Call(url: url, headers: headers, body: .text(body), advice: advice)
        return try token(in: try await succeed(call), of: call, asked: time)
    }

    /// The token in a reply of the usual form.
    func token(
        in response: HTTPResponse, of call: Call, asked time: Int64
    ) throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(response.body)),
            let token = GoogleToken(checked: reply.accessToken)
        else { throw unexpected(call, "has no token in it") }
        let lifetime = min(max(reply.expiresIn, 0), Self.longestLifetime)
        return ExpiringCredentials(token, expiration: time + lifetime)
    }

    /// The reply of a call, when it is a success.
    func succeed(_ call: Call) async throws(StoreError) -> HTTPResponse {
        try success(try await send(call), of: call)
    }

    /// The reply, when it is a success.
    func success(_ response: HTTPResponse, of call: Call) throws(StoreError) -> HTTPResponse {
        guard (200..<300).contains(response.status) else { throw refusal(response, of: call) }
        return response
    }

    /// The reply of a call, whatever it says.
    func send(_ call: Call) async throws(StoreError) -> HTTPResponse {
        do throws(HTTPFailure) {
            return try await transport.send(
                HTTPRequest(
                    call.method, call.url, headers: call.headers, body: call.body, timeouts: call.timeouts,
                    reach: call.reach), into: .collect(limit: Self.replyLimit))
        } catch {
            // What was handed out and lost does no harm: it is asked for again.
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no answer from \(call.place): \(failure.message)"
            throw failure
        }
    }

    func unexpected(_ call: Call, _ what: String) -> StoreError {
        StoreError(.unavailable, .head, message: "the answer of \(call.place) \(what)", retry: .transient)
    }

    private func refusal(_ response: HTTPResponse, of call: Call) -> StoreError {
        if response.status == 429 || response.status >= 500 {
            let delay = StoreError.retryAfter(response.headers, now: now())
            return StoreError(
                .unavailable, .head, message: "\(call.place) cannot answer now",
                retry: delay.map { .after($0) } ?? .transient, status: response.status)
        }
        if (300..<400).contains(response.status) {
            return StoreError(
                .unauthenticated, .head, message: "\(call.place) redirects, which is not followed with credentials",
                status: response.status)
        }
        let words = GoogleErrorDocument(response.body).words
        return StoreError(
            .unauthenticated, .head,
            message: "\(call.place) gives no token; \(call.advice)" + (words.isEmpty ? "" : " (it says: \(words))"),
            status: response.status)
    }
}

/// What an error of one of Google's services says: `{"error": "…", "error_description": "…"}` of those that hand out tokens,
/// `{"error": {"code": …, "message": "…", "status": "…"}}` of all others.
struct GoogleErrorDocument {
    /// `PERMISSION_DENIED`, `invalid_grant`; empty when there was no document.
    let status: String
    /// Fit for people.
    let message: String

    private struct OAuth: Decodable {
        var error: String
        var description: String?

        private enum CodingKeys: String, CodingKey {
            case error
            case description = "error_description"
        }
    }

    private struct Service: Decodable {
        struct Body: Decodable {
            var status: String?
            var message: String?
        }

        var error: Body
    }

    init(_ body: [UInt8]) {
        let decoder = JSONDecoder()
        if let document = try? decoder.decode(Service.self, from: Data(body)) {
            status = ServerText.readable(document.error.status ?? "")
            message = ServerText.readable(document.error.message ?? "")
        } else if let document = try? decoder.decode(OAuth.self, from: Data(body)) {
            status = ServerText.readable(document.error)
            message = ServerText.readable(document.description ?? "")
        } else {
            status = ""
            message = ""
        }
    }

    var words: String { [status, message].filter { !$0.isEmpty }.joined(separator: ": ") }
}

extension GoogleToken {
    /// nil when the text cannot be the value of a header.
    init?(checked text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.init(Secret(text))
    }
}
