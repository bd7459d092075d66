import Cryptography
package import HTTPStores
package import ObjectStores

/// An application that another issuer vouches for, such as a Kubernetes cluster: `AZURE_FEDERATED_TOKEN_FILE`.
package struct AzureWorkloadIdentity: CredentialProvider {
    private let service: AzureTokenService
    private let path: String

    package init(_ service: AzureTokenService, tokenFile path: String) {
        self.service = service
        self.path = path
    }

    /// Whoever writes the token renews it: only whether it is there is looked at.
    package func check() throws(SettingError) {
        _ = try CredentialFile.inspected(path, "federated_token_file", purpose: Self.purpose)
    }

    private static let purpose = "the federated token"

    /// Reads the file again each time: whoever wrote it renews it.
    package func load() async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        let bytes = try CredentialFile.contents(path, purpose: Self.purpose, limit: 64 << 10)
        let assertion = String(decoding: bytes, as: UTF8.self).trimmed
        guard !assertion.isEmpty, assertion.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .credentials("the federated token \(path) is not a token: it must be one line of text")
        }
        return try await service.token(
            [
                ("client_assertion_type", AzureClientAssertion.type), ("client_assertion", Secret(assertion)),
            ],
            advice:
                "check that the application has a federated credential for the issuer, subject and audience of \(path)")
    }
}
