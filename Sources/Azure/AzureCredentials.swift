package import Cryptography
package import HTTPStores
package import ObjectStores

/// What authorises requests to one storage account.
package enum AzureCredentials: Sendable, Equatable {
    /// The account's own key, as bytes: signs every request and makes shared access signatures.
    case sharedKey(account: String, key: Secret)
    /// A shared access signature: the query string that goes onto every URL, without its question mark.
    case sas(Secret)
    /// Public containers only.
    case anonymous
}

/// Credentials that somebody already has.
package struct StaticAzureCredentials: CredentialProvider {
    private let credentials: AzureCredentials

    package init(_ credentials: AzureCredentials) {
        self.credentials = credentials
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        ExpiringCredentials(credentials)
    }
}

extension SharedCredentials<AzureCredentials> {
    /// Credentials that never change, such as those of a connection string.
    package convenience init(_ credentials: AzureCredentials) {
        self.init(StaticAzureCredentials(credentials), now: { 0 })
    }
}
