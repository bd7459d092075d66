import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// Microsoft Entra's token endpoint, asked as one application of one tenant.
package struct AzureTokenService: Sendable {
    /// `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`: also the audience of assertions.
    package let url: String
    package let clientID: String
    private let scope: String
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64

    static let replyLimit = 64 << 10

    private struct Refusal: Decodable {
        var error: String?
        var description: String?

        private enum CodingKeys: String, CodingKey {
            case error
            case description = "error_description"
        }
    }

    /// - Parameters:
    ///   - resource: the service that tokens are for, without `/.default`.
    ///   - now: seconds since 1970.
    init(
        authority: Endpoint, tenantID: String, clientID: String, resource: String, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        url = "\(authority)/\(tenantID)/oauth2/v2.0/token"
        self.clientID = clientID
        scope = resource + "/.default"
        self.transport = transport
        self.now = now
    }

    /// A token for the application, which proves itself by a secret or an assertion.
    ///
    /// - Parameters:
    ///   - proof: form fields; their values are sent here and never quoted.
    ///   - advice: what to do when the proof is refused.
    func token(_ proof: [(name: String, value: Secret)], advice: String) async throws(StoreError)
        -> ExpiringCredentials<AzureCredentials>
    {
        let fields =
            [("client_id", clientID), ("scope", scope), ("grant_type", "client_credentials")]
            + proof.map { ($0.name, $0.value.revealed()) }
        let request = HTTPRequest(
            .post, url, headers: ["content-type": "application/x-www-form-urlencoded", "accept": "application/json"],
            body: .text(fields.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")))
        let asked = now()
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            // A token that was made and lost does no harm: another is asked for.
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no token from \(url): \(failure.message)"
            throw failure
        }
        guard response.status == 200 else { throw refusal(response, proof.map(\.value), advice) }
        return try AzureTokenReply.credentials(response, asked: asked, from: url)
    }

    private func refusal(_ response: HTTPResponse, _ proofs: [Secret], _ advice: String) -> StoreError {
        if response.status == 429 || response.status >= 500 {
            let delay = StoreError.retryAfter(response.headers, now: now())
            return StoreError(
                response.status == 429 ? .throttled : .unavailable, .head, message: "\(url) cannot answer now",
                retry: delay.map { .after($0) } ?? .transient, status: response.status)
        }
        if (300..<400).contains(response.status) {
            return .credentials(
                "\(url) redirects, which is not followed with credentials; check the authority host",
                status: response.status)
        }
        let document = try? JSONDecoder().decode(Refusal.self, from: Data(response.body))
        // Traces and times stand in further lines.
        let description = document?.description?.split(whereSeparator: \.isNewline).first.map(String.init)
        var words = [document?.error, description].compactMap { $0 }.joined(separator: ": ")
        // Whoever answers in Entra's place may send back what it was sent.
        if proofs.contains(where: { words.contains($0.revealed()) }) { words = "" }
        return .credentials(
            "\(url) refuses the application \(clientID); \(advice)"
                + (words.isEmpty ? "" : " (it says: \(ServerText.readable(words)))"),
            status: response.status)
    }
}

/// What a token service answers.
struct AzureTokenReply: Decodable {
    private var accessToken: String
    private var expiresIn: Seconds?
    private var expiresOn: Seconds?

    private enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
        case expiresOn = "expires_on"
    }

    /// Entra writes numbers, the services on Azure's machines write them as text.
    private struct Seconds: Decodable {
        var value: Int64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int64.self) {
                value = number
                return
            }
            guard let number = Int64(try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a number of seconds")
            }
            value = number
        }
    }

    /// Seconds; managed identities get tokens for a day.
    private static let longestLifetime: Int64 = 2 * 86_400

    /// - Parameter asked: when the request was sent, in seconds since 1970: lifetimes count from there.
    static func credentials(
        _ response: HTTPResponse, asked: Int64, from url: String
    ) throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        guard let reply = try? JSONDecoder().decode(Self.self, from: Data(response.body)),
            !reply.accessToken.isEmpty, reply.accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let lifetime = reply.expiresIn?.value ?? reply.expiresOn.map({ $0.value &- asked })
        else {
            throw StoreError(
                .invalidResponse, .head, message: "the answer of \(url) has no token with an expiry in it",
                retry: .transient)
        }
        return ExpiringCredentials(
            .token(Secret(reply.accessToken)), expiration: asked + min(max(lifetime, 0), longestLifetime))
    }
}
