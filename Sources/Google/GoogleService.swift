import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores

/// One of Google's services that speaks JSON: sends a document, reads one, and says what failed. One attempt for each call.
struct GoogleService: Sendable {
    let endpoint: Endpoint
    /// nil for an emulator.
    let credentials: SharedCredentials<GoogleToken>?
    let transport: any HTTPTransport
    /// Seconds since 1970.
    let now: @Sendable () -> Int64

    private static let replyLimit = 16 << 20

    /// A request and what is said of it.
    struct Call: Sendable {
        /// After `/v1/`.
        var path: String
        var operation: StoreOperation
        var timeouts = HTTPTimeouts()
        /// What is called, for people: `key projects/…`.
        var subject: String
        /// What the identity must be allowed.
        var permission: String
    }

    /// - Throws: for an endpoint to which no token may go.
    init(
        endpoint: Endpoint, credentials: SharedCredentials<GoogleToken>?, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        guard credentials == nil || endpoint.scheme == "https" || endpoint.isLoopback else {
            throw .credentials("a token must not travel unencrypted: use https for \(endpoint)")
        }
        self.endpoint = endpoint
        self.credentials = credentials
        self.transport = transport
        self.now = now
    }

    /// The document that answers another.
    ///
    /// - Parameter silence: what it means when nothing has come within the time limit; nil: a failure.
    func send<Request: Encodable, Reply: Decodable>(
        _ document: Request, _ call: Call, _ reply: Reply.Type, silence: Reply? = nil
    ) async throws(StoreError) -> Reply {
        guard let response = try await send(document, call) else {
            if let silence { return silence }
            throw StoreError(
                .network, call.operation, message: "no answer about \(call.subject) in time", retry: .transient)
        }
        do {
            return try JSONDecoder().decode(reply, from: Data(response.body))
        } catch {
            throw StoreError(
                .invalidResponse, call.operation, message: "the answer about \(call.subject) is not what was asked for",
                retry: .transient)
        }
    }

    /// nil when nothing has come within the time limit.
    private func send<Request: Encodable>(_ document: Request, _ call: Call) async throws(StoreError) -> HTTPResponse? {
        let body: [UInt8]
        do {
            body = Array(try JSONEncoder().encode(document))
        } catch {
            throw StoreError(.invalidRequest, call.operation, message: "\(call.subject) cannot be asked: \(error)")
        }
        var headers: HTTPHeaders = ["content-type": "application/json; charset=UTF-8"]
        let token = try await token(call)
        if let token {
            headers.append("authorization", "Bearer \(token.value.revealed())")
            headers.appendIfPresent("x-goog-user-project", token.quotaProject)
        }
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(
                HTTPRequest(
                    .post, "\(endpoint)/v1/\(call.path)", headers: headers, body: .bytes(body), timeouts: call.timeouts),
                into: .collect(limit: Self.replyLimit))
        } catch {
            if error.code == .stalled { return nil }
            throw StoreError(error, call.operation, key: nil)
        }
        guard (200..<300).contains(response.status) else { throw error(response, call, token) }
        credentials?.accept()
        return response
    }

    private func token(_ call: Call) async throws(StoreError) -> GoogleToken? {
        do throws(StoreError) {
            return try await credentials?.current()
        } catch {
            var error = error
            error.operation = call.operation
            throw error
        }
    }

    private func error(_ response: HTTPResponse, _ call: Call, _ token: GoogleToken?) -> StoreError {
        let document = GoogleErrorDocument(response.body)
        var (code, text, retry): (StoreError.Code, String, StoreError.Retry) =
            switch response.status {
            case 300..<400: (.invalidRequest, "the server redirects, which is not followed", .never)
            case 400 where document.status == "FAILED_PRECONDITION":
                (.forbidden, "\(call.subject) cannot be used", .never)
            case 400: (.invalidRequest, "the request about \(call.subject) is refused", .never)
            case 401: (.unauthenticated, "the token is refused", .transient)
            case 403:
                (.forbidden, "access denied: the credentials may lack \(call.permission) on \(call.subject)", .never)
            case 404: (.notFound, "there is no \(call.subject)", .never)
            case 429: (.throttled, "the server asks to slow down", .transient)
            case 500...599: (.unavailable, "the server failed", .transient)
            default: (.invalidRequest, "the server answered HTTP \(response.status)", .never)
            }
        if response.status == 401, let token, credentials?.refuse(token) == false {
            text += "; a new one was refused too"
            retry = .never
        }
        if retry == .transient, let delay = StoreError.retryAfter(response.headers, now: now()) {
            retry = .after(delay)
        }
        if !document.message.isEmpty { text += " (the server says: \(document.message))" }
        return StoreError(
            code, call.operation, message: text, retry: retry, status: response.status, serviceCode: document.status)
    }
}

/// Checks names of resources, which become paths.
enum GoogleResourceName {
    /// Whether the name consists of the collections given, each followed by one identifier: `projects/P/subscriptions/S`.
    static func isValid(_ name: String, _ collections: [String]) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 * collections.count else { return false }
        return collections.indices.allSatisfy { index in
            parts[2 * index] == collections[index] && isIdentifier(parts[2 * index + 1])
        }
    }

    /// Letters, digits and what needs no encoding in a path. Projects of an organisation have a colon in them.
    private static func isIdentifier(_ text: Substring) -> Bool {
        (1...255).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }
}
