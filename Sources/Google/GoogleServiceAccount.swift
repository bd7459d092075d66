package import Cryptography
import HTTPStores
package import ObjectStores

/// A service account and its private key, from the JSON file that Google's console hands out.
package struct GoogleServiceAccount: Sendable {
    /// `client_email`.
    package let email: String
    /// `private_key_id`; tells the service which of the account's keys signed.
    package let keyID: String?
    package let privateKey: RSAPrivateKey
    /// `token_uri`.
    package let tokenEndpoint: String

    static let standardTokenEndpoint = "https://oauth2.googleapis.com/token"

    package init(email: String, keyID: String?, privateKey: RSAPrivateKey, tokenEndpoint: String) {
        self.email = email
        self.keyID = keyID
        self.privateKey = privateKey
        self.tokenEndpoint = tokenEndpoint
    }

    /// - Parameter path: for messages; none quotes the file.
    package init(json: [UInt8], path: String) throws(StoreError) {
        guard case .serviceAccount(let account) = try GoogleCredentialsFile.parse(json, path: path).file else {
            throw .credentials("\(path) holds no key of a service account")
        }
        self = account
    }

    init(_ document: GoogleCredentialsDocument, path: String) throws(StoreError) {
        let email = try document.required(\.clientEmail, "client_email", path: path)
        let pem = try document.required(\.privateKey, "private_key", path: path)
        let tokenEndpoint = document.tokenUri ?? Self.standardTokenEndpoint
        // An assertion is of use at the endpoint that it names and nowhere else, so that any host may be named.
        guard let endpoint = Endpoint(tokenEndpoint), endpoint.scheme == "https" || endpoint.isLoopback else {
            throw .credentials("\(path) names a token_uri that is no https URL; signed assertions are not sent there")
        }
        let privateKey: RSAPrivateKey
        do {
            privateKey = try RSAPrivateKey(pem: pem)
        } catch {
            throw .credentials("the private_key in \(path) cannot be used: \(error)")
        }
        self.init(email: email, keyID: document.privateKeyId, privateKey: privateKey, tokenEndpoint: tokenEndpoint)
    }
}
