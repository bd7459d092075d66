import Cryptography
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
    private let client: GoogleTokenClient

    private static let grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    /// - Parameter now: seconds since 1970.
    package init(
        _ account: GoogleServiceAccount, scope: GoogleScope, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        self.init(account, scope: scope, client: GoogleTokenClient(environment: [:], transport: transport, now: now))
    }

    init(_ account: GoogleServiceAccount, scope: GoogleScope, client: GoogleTokenClient) {
        self.account = account
        self.scope = scope
        self.client = client
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let assertion = try GoogleSigner(account).token(
            for: .exchange(endpoint: account.tokenEndpoint), scope: scope, now: client.now())
        return try await client.token(
            from: account.tokenEndpoint, form: [("grant_type", Self.grantType), ("assertion", assertion)],
            advice: "check that the key of \(account.email) is enabled and that this machine's clock is right")
    }
}
