package import Cryptography
package import HTTPStores
package import ObjectStores

/// An application that proves itself by a secret: `AZURE_CLIENT_SECRET`.
package struct AzureClientSecret: CredentialProvider {
    private let service: AzureTokenService
    private let secret: Secret

    package init(_ service: AzureTokenService, secret: Secret) {
        self.service = service
        self.secret = secret
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        try await service.token(
            [("client_secret", secret)],
            advice: "check the tenant, the application and that its secret (the value, not its id) has not expired")
    }
}
