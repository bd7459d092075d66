package import Cryptography
import Digests
import HTTPStores
import ReplicationModel

/// A service shared access signature that lets whoever has it read one blob for a while.
/// Source: Azure Storage REST reference, create a service SAS.
///
/// Azure fetches the source of a copy by URL as a stranger would, also inside one account, so the URL must carry its
/// own right.
package struct AzureBlobSharedAccess {
    package var account: String
    package var container: String
    /// Not encoded.
    package var blob: String
    package var serviceVersion: String
    /// Seconds since 1970. There is no start, so that a clock that is a little ahead does no harm.
    package var expiry: Int64
    /// Whether the signature is good for plain HTTP too: emulators.
    package var allowsPlainHTTP: Bool

    package init(
        account: String, container: String, blob: String, serviceVersion: String, expiry: Int64, allowsPlainHTTP: Bool
    ) {
        self.account = account
        self.container = container
        self.blob = blob
        self.serviceVersion = serviceVersion
        self.expiry = expiry
        self.allowsPlainHTTP = allowsPlainHTTP
    }

    private var permissions: String { "r" }
    private var protocols: String { allowsPlainHTTP ? "https,http" : "https" }
    private var expiryText: String { CivilTime(secondsSince1970: expiry).rfc3339 }

    /// The query string without its question mark: a secret.
    package func query(key: Secret) -> String {
        let signature = Base64.encode(HMACSHA256.authenticate(key: key, message: Array(stringToSign.utf8)))
        let items = [
            ("sp", permissions), ("se", expiryText), ("spr", protocols), ("sv", serviceVersion), ("sr", "b"),
            ("sig", signature),
        ]
        return items.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
    }

    package var stringToSign: String {
        let lines = [
            permissions, "", expiryText, "/blob/\(account)/\(container)/\(blob)",
            // Stored policy, address range, protocols, version, resource, snapshot, encryption scope.
            "", "", protocols, serviceVersion, "b", "", "",
            // Overrides of Cache-Control, Content-Disposition, -Encoding, -Language and -Type.
            "", "", "", "", "",
        ]
        return lines.joined(separator: "\n")
    }
}
