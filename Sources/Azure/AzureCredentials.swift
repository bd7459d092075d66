package import Cryptography
package import HTTPStores
package import ObjectStores

/// What authorises requests to one storage account.
package enum AzureCredentials: Sendable, Equatable {
    /// The account's own key, as bytes: signs every request and makes shared access signatures.
    case sharedKey(account: String, key: Secret)
    /// A shared access signature: the query string that goes onto every URL, without its question mark.
    case sas(Secret)
    /// A bearer token of Microsoft Entra.
    case token(Secret)
    /// Public containers only.
    case anonymous
    /// Nobody has said who asks, and the machine has no identity either: anonymous, and a refusal says what was tried.
    case noneFound(tried: String)

    /// Whether whoever sees a request could send others: keys only sign.
    package var mustTravelEncrypted: Bool {
        switch self {
        case .sas, .token: true
        case .sharedKey, .anonymous, .noneFound: false
        }
    }
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

extension StoreError {
    /// A failure to find credentials; the store that needed them fills in its operation.
    static func credentials(_ message: String, retry: Retry = .never, status: Int = 0) -> StoreError {
        StoreError(.unauthenticated, .head, message: message, retry: retry, status: status)
    }
}
