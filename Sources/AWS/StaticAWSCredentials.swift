package import HTTPStores
package import ObjectStores

/// Credentials that somebody already has.
package struct StaticAWSCredentials: AWSCredentialProvider {
    private let credentials: AWSCredentials
    package var place: String { "the program" }

    package init(_ credentials: AWSCredentials) {
        self.credentials = credentials
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        ExpiringCredentials(credentials)
    }
}
