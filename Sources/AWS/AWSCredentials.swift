package import Cryptography
package import HTTPStores
package import ObjectStores

/// An access key of AWS or of a server that speaks its protocol.
package struct AWSCredentials: Sendable, Equatable {
    /// Names the key; it appears in signatures and is no secret.
    package var accessKeyID: String
    package var secretAccessKey: Secret
    /// Of temporary credentials.
    package var sessionToken: Secret?

    package init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    /// Keys that somebody wrote or sent. What cannot be one is refused here: it would be sent as a header.
    ///
    /// - Parameter place: for people: where they come from.
    init(key: String, secret: String, token: String?, from place: String) throws(StoreError) {
        guard Self.isLegal(key), Self.isLegal(secret), Self.isLegal(token ?? "") else {
            throw .credentials(
                "the keys from \(place) have a character in them that no key has, perhaps a blank or a line break; copy them again"
            )
        }
        self.init(
            accessKeyID: key, secretAccessKey: Secret(secret),
            sessionToken: token.flatMap { $0.isEmpty ? nil : Secret($0) })
    }

    static func isLegal(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }
}

/// One place where AWS credentials may be configured.
package protocol AWSCredentialProvider: CredentialProvider where Value == AWSCredentials {
    /// For people: where credentials would have been found.
    var place: String { get }

    /// nil when nothing is configured here; throws when something is and cannot be used.
    func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>?
}

extension AWSCredentialProvider {
    package func load() async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        guard let credentials = try await loadIfConfigured() else {
            throw .credentials(
                "no AWS credentials found in \(place); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                    + "name a profile with AWS_PROFILE, or run where a role is attached")
        }
        return credentials
    }
}

extension StoreError {
    /// A failure to find credentials; the store that needed them fills in its operation.
    static func credentials(_ message: String) -> StoreError {
        StoreError(.unauthenticated, .head, message: message)
    }
}
