import Cryptography
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// The server of HashiCorp Vault, or of OpenBao, which speaks the same protocol: sends requests and explains refusals.
package struct HashiCorpVault: Sendable {
    let endpoint: Endpoint
    /// `X-Vault-Namespace`; nil where the server has none.
    let namespace: String?
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64

    private static let replyLimit = 64 << 10

    /// - Parameters:
    ///   - namespace: text that a header can carry.
    ///   - now: seconds since 1970.
    package init(
        endpoint: Endpoint, namespace: String? = nil, transport: any HTTPTransport, now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        guard endpoint.scheme == "https" || endpoint.isLoopback else {
            throw .vault(.unauthenticated, "a token must not travel unencrypted: use https for \(endpoint)")
        }
        self.endpoint = endpoint
        self.namespace = namespace
        self.transport = transport
        self.now = now
    }

    /// `POST /v1/PATH` with a JSON document; the reply's document as `Reply`.
    func post<Body: Encodable, Reply: Decodable>(
        _ path: String, _ body: Body, token: Secret?, as _: Reply.Type
    ) async throws(StoreError) -> Reply {
        let document: [UInt8]
        do {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            document = Array(try encoder.encode(body))
        } catch {
            throw .vault(.invalidRequest, "a request could not be written as JSON")
        }
        var headers: HTTPHeaders = ["content-type": "application/json", "x-vault-request": "true"]
        if let token { headers.append("x-vault-token", token.revealed()) }
        if let namespace { headers.append("x-vault-namespace", namespace) }
        let request = HTTPRequest(
            .post, "\(endpoint)/v1/\(path)", headers: headers, body: .bytes(document),
            timeouts: HTTPTimeouts(stall: .seconds(30)))
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            // Asking twice encrypts or decrypts twice, which does no harm.
            throw StoreError(error, .head, key: nil)
        }
        guard response.status == 200 else { throw refusal(response) }
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Reply.self, from: Data(response.body))
        } catch {
            throw .vault(.invalidResponse, "\(endpoint) gave an answer that is not understood", retry: .transient)
        }
    }

    private struct Refusal: Decodable {
        var errors: [String]?
    }

    private func refusal(_ response: HTTPResponse) -> StoreError {
        let words = Self.words(response)
        let says = words.isEmpty ? "" : " (it says: \(words))"
        func error(_ code: StoreError.Code, _ message: String, retry: StoreError.Retry = .never) -> StoreError {
            .vault(code, message + says, retry: retry, status: response.status)
        }
        switch response.status {
        case 400 where words.contains("authentication failed") || words.contains("invalid ciphertext"):
            return error(.damaged, "\(endpoint) cannot decrypt this: another key encrypted it, or it was changed")
        case 400: return error(.invalidRequest, "\(endpoint) refuses the request")
        case 403:
            return error(.forbidden, "\(endpoint) refuses the token: it is not known, has expired, or lacks the right")
        case 404: return error(.notFound, "\(endpoint) has no such key or path")
        case 429, 472, 473, 500...599:
            let after = StoreError.retryAfter(response.headers, now: now()).map { StoreError.Retry.after($0) }
            let isSealed = response.status == 503
            return error(
                response.status == 429 ? .throttled : .unavailable,
                isSealed ? "\(endpoint) is sealed or in maintenance" : "\(endpoint) cannot answer now",
                retry: after ?? .transient)
        default: return error(.invalidResponse, "\(endpoint) answers with status \(response.status)")
        }
    }

    /// What the server says, cut short and without what a terminal would act on.
    private static func words(_ response: HTTPResponse) -> String {
        guard let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(response.body)) else { return "" }
        let text = (refusal.errors ?? []).joined(separator: "; ")
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? " " : $0 }))
    }
}

extension StoreError {
    /// A failure of the key service; who uses it says what for.
    static func vault(
        _ code: Code, _ message: String, retry: Retry = .never, status: Int = 0
    ) -> StoreError {
        StoreError(code, .head, message: message, retry: retry, status: status)
    }
}
