package import Cryptography
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A bearer token of Google's services.
package struct GoogleToken: Sendable, Equatable {
    package var value: Secret
    /// The project that requests of a person are counted for, where one is named.
    package var quotaProject: String?

    package init(_ value: Secret, quotaProject: String? = nil) {
        self.value = value
        self.quotaProject = quotaProject
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
    /// Refresh this many seconds before a token expires, as Google's own clients do: metadata servers give the same token until
    /// shortly before, so that asking earlier is of no use.
    package static let margin: Int64 = 225

    /// Whether somebody named credentials, rather than that they are looked for.
    package static func areNamed(by identity: GoogleIdentity, environment: [String: String]) -> Bool {
        identity.credentialsFile != nil || identity.impersonate != nil
            || !(environment[GoogleCredentialChain.fileVariable] ?? "").isEmpty
            || MetadataGoogleToken.host(in: environment) != nil
    }

    /// The credentials of an identity, or nil for anonymous requests. Nothing is read or asked before the first request needs a
    /// token.
    ///
    /// - Parameters:
    ///   - selfSigned: service accounts sign tokens for each hour here, without a token service.
    ///   - now: seconds since 1970.
    package static func shared(
        _ identity: GoogleIdentity, scope: GoogleScope, environment: [String: String], transport: any HTTPTransport,
        selfSigned: Bool = false, now: @escaping @Sendable () -> Int64
    ) -> SharedCredentials<GoogleToken>? {
        if identity.isAnonymous { return nil }
        let client = GoogleTokenClient(environment: environment, transport: transport, now: now)
        let chain = GoogleCredentialChain(identity, scope: scope, selfSigned: selfSigned, client: client)
        return SharedCredentials(chain, margin: margin, now: now)
    }
}
