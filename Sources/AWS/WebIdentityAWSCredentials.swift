package import HTTPStores
package import ObjectStores

/// The temporary keys of a role for a token of another identity provider: a Kubernetes service account, a CI job.
///
/// Whoever provides the token writes it anew before it expires, so its file is read at each refresh.
package struct WebIdentityAWSCredentials: AWSCredentialProvider {
    private let role: AWSRole
    private let tokenFile: String
    private let surroundings: AWSSurroundings
    package var place: String { "the web identity token \(tokenFile)" }

    package init(role: AWSRole, tokenFile: String, _ surroundings: AWSSurroundings) {
        self.role = role
        self.tokenFile = tokenFile
        self.surroundings = surroundings
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let token = try SmallFile.text(tokenFile, called: Self.purpose)
        guard !token.isEmpty else { throw .credentials("the web identity token \(tokenFile) is empty") }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .credentials("the web identity token \(tokenFile) has a blank or another character that no token has")
        }
        return try await SecurityTokenService(surroundings).assume(role, webIdentity: token)
    }

    private static let purpose = "the web identity token"

    /// Whoever writes the token renews it: only whether it is there is looked at.
    package func check() throws(SettingError) {
        _ = try CredentialFile.inspected(tokenFile, "web_identity_token_file", purpose: Self.purpose)
    }
}
