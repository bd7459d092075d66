package import Cryptography
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores
import Synchronization

/// The identity that Azure gives to a machine or an application: a service on the machine hands out its tokens.
package final class AzureManagedIdentity: CredentialProvider {
    /// Which service that is.
    package enum Source: Sendable, Hashable {
        /// Of a virtual machine, also below AKS nodes: at a fixed address without any secret.
        case machine(Endpoint)
        /// Of App Service, Functions and Container Apps: a URL and a header that only the application knows.
        case application(Endpoint, header: Secret)
        /// Of a server that Azure Arc manages: whoever may read a file of the agent's gets tokens.
        case arc(Endpoint, keyDirectory: String)

        /// Azure's metadata service.
        static let metadata = Endpoint(scheme: "http", host: "169.254.169.254")
        static let arcKeyDirectory = "/var/opt/azcmagent/tokens"
    }

    private let source: Source
    private let resource: String
    /// A user-assigned identity; nil is the machine's own.
    private let clientID: String?
    /// Whether somebody said that there is one, or it has given a token already; else its absence is no error.
    private let isExpected: Mutex<Bool>
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64

    /// Seconds after which the machine is asked again whether it has an identity.
    private static let absenceLifetime: Int64 = 900
    private static let keyLimit = 4096

    private struct Refusal: Decodable {
        var error: String?
        var description: String?

        private enum CodingKeys: String, CodingKey {
            case error
            case description = "error_description"
        }
    }

    /// - Parameters:
    ///   - resource: the service that tokens are for.
    ///   - isExpected: false gives `.noneFound` where no service answers or it knows of no identity.
    ///   - now: seconds since 1970.
    package init(
        _ source: Source, resource: String, clientID: String?, isExpected: Bool, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        self.source = source
        self.resource = resource
        self.clientID = clientID
        self.isExpected = Mutex(isExpected)
        self.transport = transport
        self.now = now
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        let asked = now()
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(request, into: .collect(limit: AzureTokenService.replyLimit))
        } catch {
            guard mustBeThere || error.code == .cancelled else { return absent("it did not answer") }
            throw unanswered(error)
        }
        if case .arc(let endpoint, let directory) = source, response.status == 401 {
            return try await answerChallenge(of: response, endpoint, directory)
        }
        return try credentials(response, asked)
    }

    private var mustBeThere: Bool { isExpected.withLock { $0 } }

    // MARK: requests

    private var endpoint: Endpoint {
        switch source {
        case .machine(let endpoint), .application(let endpoint, _), .arc(let endpoint, _): endpoint
        }
    }

    private var request: HTTPRequest {
        var query = [("resource", resource)]
        if let clientID { query.append(("client_id", clientID)) }
        switch source {
        case .machine(let endpoint):
            return metadataRequest(
                "\(endpoint)/metadata/identity/oauth2/token", "2018-02-01", query, ["metadata": "true"])
        case .application(let endpoint, let header):
            return metadataRequest("\(endpoint)", "2019-08-01", query, ["x-identity-header": header.revealed()])
        case .arc(let endpoint, _):
            return metadataRequest("\(endpoint)", "2020-06-01", query, ["metadata": "true"])
        }
    }

    private func metadataRequest(
        _ url: String, _ version: String, _ query: [(String, String)], _ headers: HTTPHeaders
    ) -> HTTPRequest {
        let parameters = ([("api-version", version)] + query).map { "\($0)=\(PercentEncoding.encode($1))" }
        // Where there is no such service the address often swallows packets.
        return HTTPRequest(
            .get, "\(url)?\(parameters.joined(separator: "&"))", headers: headers,
            timeouts: HTTPTimeouts(connect: .seconds(mustBeThere ? 2 : 1), stall: .seconds(mustBeThere ? 30 : 10)),
            reach: .metadata)
    }

    /// Azure Arc: the agent names a file, and whoever can read it may have a token.
    private func answerChallenge(
        of response: HTTPResponse, _ endpoint: Endpoint, _ directory: String
    ) async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        guard let challenge = response.headers["www-authenticate"],
            let path = challenge.split(separator: "=", maxSplits: 1).last.map({ String($0).trimmed }),
            challenge.lowercased().hasPrefix("basic realm=")
        else { throw .credentials("the Azure Arc agent at \(endpoint) names no key file", status: response.status) }
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        guard path == "\(directory)/\(name)", name.hasSuffix(".key"), !name.hasPrefix(".") else {
            throw .credentials(
                "the Azure Arc agent at \(endpoint) names a key file outside \(directory), which is not read",
                status: response.status)
        }
        let key = try CredentialFile.contents(path, purpose: "the Azure Arc key", limit: Self.keyLimit)
        guard key.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .credentials("the Azure Arc key \(path) is no line of text")
        }
        var answer = request
        answer.headers.append("authorization", "Basic \(String(decoding: key, as: UTF8.self))")
        let asked = now()
        let answered: HTTPResponse
        do throws(HTTPFailure) {
            answered = try await transport.send(answer, into: .collect(limit: AzureTokenService.replyLimit))
        } catch {
            throw unanswered(error)
        }
        return try credentials(answered, asked)
    }

    // MARK: replies

    private func credentials(
        _ response: HTTPResponse, _ asked: Int64
    ) throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        if response.status == 200 {
            let credentials = try AzureTokenReply.credentials(response, asked: asked, from: "\(endpoint)")
            isExpected.withLock { $0 = true }
            return credentials
        }
        let document = try? JSONDecoder().decode(Refusal.self, from: Data(response.body))
        // While it is updated the service of a virtual machine is missing or gone. On machines of other clouds something else answers
        // at its address.
        let isBusy =
            response.status == 429 || response.status == 410 || response.status >= 500
            || (response.status == 404 && document?.error != nil)
        if isBusy {
            let delay = StoreError.retryAfter(response.headers, now: now())
            throw StoreError(
                response.status == 429 ? .throttled : .unavailable, .head,
                message: "the managed identity service at \(endpoint) cannot answer now",
                retry: delay.map { .after($0) } ?? .transient, status: response.status)
        }
        if mustBeThere, (300..<400).contains(response.status) {
            let advice = if case .machine = source { "" } else { "; check IDENTITY_ENDPOINT" }
            throw .credentials(
                "the managed identity service at \(endpoint) redirects, which is not followed with credentials\(advice)",
                status: response.status)
        }
        guard mustBeThere else { return absent("no identity is assigned to this machine (HTTP \(response.status))") }
        let words = [document?.error, document?.description].compactMap { $0 }.joined(separator: ": ")
        let wanted = clientID.map { "the identity with client id \($0)" } ?? "an identity"
        throw .credentials(
            "the managed identity service at \(endpoint) gives no token; check that \(wanted) is assigned here"
                + (words.isEmpty || mentionsHeader(words) ? "" : " (it says: \(ServerText.readable(words)))"),
            status: response.status)
    }

    private func mentionsHeader(_ words: String) -> Bool {
        if case .application(_, let header) = source { words.contains(header.revealed()) } else { false }
    }

    private func absent(_ reason: String) -> ExpiringCredentials<AzureCredentials> {
        ExpiringCredentials(
            .noneFound(tried: "the managed identity service at \(endpoint): \(reason)"),
            expiration: now() + Self.absenceLifetime)
    }

    private func unanswered(_ failure: HTTPFailure) -> StoreError {
        var error = StoreError(failure, .head, key: nil)
        error.message = "no token from the managed identity service at \(endpoint): \(failure.message)"
        return error
    }
}
