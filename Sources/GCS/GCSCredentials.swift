package import Cryptography
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A bearer token of Google's services.
package struct GoogleToken: Sendable, Equatable {
    package var value: Secret

    package init(_ value: Secret) {
        self.value = value
    }
}

extension StoreError {
    /// A failure to find credentials; the store that needed them fills in its operation.
    static func credentials(_ message: String) -> StoreError {
        StoreError(.unauthenticated, .head, message: message)
    }
}

/// A token that somebody already has; it is not refreshed.
package struct StaticGoogleToken: CredentialProvider {
    private let token: GoogleToken

    package init(_ token: GoogleToken) {
        self.token = token
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        ExpiringCredentials(token)
    }
}

/// Tokens that a service account signs itself, without a token service.
package struct SelfSignedGoogleToken: CredentialProvider {
    private let account: GoogleServiceAccount
    private let now: @Sendable () -> Int64

    /// - Parameter now: seconds since 1970.
    package init(_ account: GoogleServiceAccount, now: @escaping @Sendable () -> Int64) {
        self.account = account
        self.now = now
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let time = now()
        let token = try GCSSigner(account).token(for: .access, now: time)
        return ExpiringCredentials(GoogleToken(Secret(token)), expiration: time + GCSSigner.lifetime)
    }
}

/// Tokens that the token service hands out for an assertion that the service account signs (RFC 7523).
package struct ExchangedGoogleToken: CredentialProvider {
    private let account: GoogleServiceAccount
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
    package init(_ account: GoogleServiceAccount, transport: any HTTPTransport, now: @escaping @Sendable () -> Int64) {
        self.account = account
        self.transport = transport
        self.now = now
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let time = now()
        let assertion = try GCSSigner(account).token(for: .exchange(endpoint: account.tokenEndpoint), now: time)
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
                + "machine's clock is right" + (words.isEmpty ? "" : " (it says: \(GCSFailure.readable(words)))"),
            status: response.status)
    }
}

package enum GoogleCredentials {
    /// Refresh this many seconds before a token expires (as Google's own clients do).
    package static let margin: Int64 = 225

    /// The credentials that the environment names, or nil for anonymous requests: for an emulator, and for another
    /// endpoint than Google's when `GOOGLE_APPLICATION_CREDENTIALS` is not set.
    ///
    /// - Parameters:
    ///   - selfSigned: sign tokens for each hour here, without a token service.
    ///   - now: seconds since 1970.
    package static func shared(
        for configuration: GCSConfiguration, environment: [String: String], transport: any HTTPTransport,
        selfSigned: Bool = false,
        now: @escaping @Sendable () -> Int64
    ) throws(StoreError) -> SharedCredentials<GoogleToken>? {
        if configuration.isEmulator { return nil }
        guard let path = environment["GOOGLE_APPLICATION_CREDENTIALS"], !path.isEmpty else {
            if !configuration.isGoogle { return nil }
            throw .credentials(
                "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's JSON key")
        }
        guard configuration.endpoint.scheme == "https" || configuration.endpoint.isLoopback else {
            throw .credentials(
                "a token must not travel unencrypted: use https for \(configuration.endpoint), or unset GOOGLE_APPLICATION_CREDENTIALS"
            )
        }
        let account = try GoogleServiceAccount(path: path)
        if selfSigned { return SharedCredentials(SelfSignedGoogleToken(account, now: now), margin: margin, now: now) }
        return SharedCredentials(
            ExchangedGoogleToken(account, transport: transport, now: now), margin: margin, now: now)
    }
}
