import Cryptography
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// Tokens that a service account signs itself, without a token service.
package struct SelfSignedGoogleToken: CredentialProvider {
    private let account: GoogleServiceAccount
    private let scope: GoogleScope
    private let now: @Sendable () -> Int64

    /// - Parameter now: seconds since 1970.
    package init(_ account: GoogleServiceAccount, scope: GoogleScope, now: @escaping @Sendable () -> Int64) {
        self.account = account
        self.scope = scope
        self.now = now
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let time = now()
        let token = try GoogleSigner(account).token(for: .access, scope: scope, now: time)
        return ExpiringCredentials(GoogleToken(Secret(token)), expiration: time + GoogleSigner.lifetime)
    }
}

/// Tokens that the token service hands out for an assertion that the service account signs (RFC 7523).
package struct ExchangedGoogleToken: CredentialProvider {
    private let account: GoogleServiceAccount
    private let scope: GoogleScope
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64

    private static let replyLimit = 64 << 10
    /// Seconds; Google's tokens live for an hour, or half a day where an organisation allows it.
    private static let longestLifetime: Int64 = 86_400

    private struct Reply: Decodable {
        var accessToken: String
        var expiresIn: Int64

        private enum CodingKeys: String, CodingKey {
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    private struct Refusal: Decodable {
        var error: String?
        var description: String?

        private enum CodingKeys: String, CodingKey {
            case error
            case description = "error_description"
        }
    }

    /// - Parameter now: seconds since 1970.
    package init(
        _ account: GoogleServiceAccount, scope: GoogleScope, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        self.account = account
        self.scope = scope
        self.transport = transport
        self.now = now
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let time = now()
        let assertion = try GoogleSigner(account).token(
            for: .exchange(endpoint: account.tokenEndpoint), scope: scope, now: time)
        let request = HTTPRequest(
            .post, account.tokenEndpoint, headers: ["content-type": "application/x-www-form-urlencoded"],
            body: .text("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=\(assertion)"))
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            // A token that was made and lost does no harm: another is asked for.
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no token from \(account.tokenEndpoint): \(failure.message)"
            throw failure
        }
        guard (200..<300).contains(response.status) else { throw refusal(response) }
        guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(response.body)), !reply.accessToken.isEmpty,
            reply.accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw StoreError(
                .invalidResponse, .head, message: "the answer of \(account.tokenEndpoint) has no token in it",
                retry: .transient)
        }
        let lifetime = min(max(reply.expiresIn, 0), Self.longestLifetime)
        return ExpiringCredentials(GoogleToken(Secret(reply.accessToken)), expiration: time + lifetime)
    }

    private func refusal(_ response: HTTPResponse) -> StoreError {
        if response.status == 429 || response.status >= 500 {
            return StoreError(
                .unavailable, .head, message: "\(account.tokenEndpoint) cannot answer now", retry: .transient,
                status: response.status)
        }
        let document = try? JSONDecoder().decode(Refusal.self, from: Data(response.body))
        let words = [document?.error, document?.description].compactMap { $0 }.joined(separator: ": ")
        return StoreError(
            .unauthenticated, .head,
            message:
                "\(account.tokenEndpoint) refuses the key of \(account.email); check that it is enabled and that this "
                + "machine's clock is right" + (words.isEmpty ? "" : " (it says: \(ServerText.readable(words)))"),
            status: response.status)
    }
}
