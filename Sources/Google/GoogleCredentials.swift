package import Cryptography
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

package enum GoogleCredentials {
    /// Refresh this many seconds before a token expires (as Google's own clients do).
    package static let margin: Int64 = 225

    /// Whether somebody named credentials, rather than that they are looked for.
    package static func areNamed(by identity: GoogleIdentity, environment: [String: String]) -> Bool {
        identity.credentialsFile != nil || !(environment["GOOGLE_APPLICATION_CREDENTIALS"] ?? "").isEmpty
    }

    /// The credentials of an identity, or nil for anonymous requests.
    ///
    /// - Parameters:
    ///   - selfSigned: service accounts sign tokens for each hour here, without a token service.
    ///   - now: seconds since 1970.
    package static func shared(
        _ identity: GoogleIdentity, scope: GoogleScope, environment: [String: String], transport: any HTTPTransport,
        selfSigned: Bool = false, now: @escaping @Sendable () -> Int64
    ) throws(StoreError) -> SharedCredentials<GoogleToken>? {
        if identity.isAnonymous { return nil }
        let path = identity.credentialsFile ?? environment["GOOGLE_APPLICATION_CREDENTIALS"] ?? ""
        guard !path.isEmpty else {
            throw .credentials(
                "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's JSON key")
        }
        let account = try GoogleServiceAccount(path: path)
        if selfSigned {
            return SharedCredentials(SelfSignedGoogleToken(account, scope: scope, now: now), margin: margin, now: now)
        }
        return SharedCredentials(
            ExchangedGoogleToken(account, scope: scope, transport: transport, now: now), margin: margin, now: now)
    }
}
