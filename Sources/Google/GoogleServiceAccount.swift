package import Cryptography
import FoundationEssentials
import HTTPStores
package import ObjectStores

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

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
    /// Larger files are refused: a key has 3 KB.
    private static let sizeLimit = 1 << 20

    private struct File: Decodable {
        var type: String?
        var email: String?
        var keyID: String?
        var privateKey: String?
        var tokenEndpoint: String?

        private enum CodingKeys: String, CodingKey {
            case type
            case email = "client_email"
            case keyID = "private_key_id"
            case privateKey = "private_key"
            case tokenEndpoint = "token_uri"
        }
    }

    package init(email: String, keyID: String?, privateKey: RSAPrivateKey, tokenEndpoint: String) {
        self.email = email
        self.keyID = keyID
        self.privateKey = privateKey
        self.tokenEndpoint = tokenEndpoint
    }

    /// Reads the file; every error names it, and none quotes it.
    package init(path: String) throws(StoreError) {
        try self.init(json: Self.contents(path), path: path)
    }

    /// - Parameter path: for messages.
    package init(json: [UInt8], path: String) throws(StoreError) {
        // The decoder's error may quote the file, which holds a key.
        guard let file = try? JSONDecoder().decode(File.self, from: Data(json)) else {
            throw .credentials("\(path) is not a JSON file of Google credentials")
        }
        guard file.type == "service_account" else {
            let found = file.type.map { "\"\($0.prefix(60))\"" } ?? "none"
            throw .credentials(
                "\(path) holds credentials of type \(found), which is not supported here; create a key of a service account "
                    + "(type \"service_account\") and name its file in GOOGLE_APPLICATION_CREDENTIALS")
        }
        func member(_ value: String?, _ name: String) throws(StoreError) -> String {
            guard let value, !value.isEmpty else { throw .credentials("\(path) has no \(name); create a new key file") }
            return value
        }
        let email = try member(file.email, "client_email")
        let pem = try member(file.privateKey, "private_key")
        let tokenEndpoint = file.tokenEndpoint ?? Self.standardTokenEndpoint
        guard let endpoint = Endpoint(tokenEndpoint), endpoint.scheme == "https" || endpoint.isLoopback else {
            throw .credentials("\(path) names a token_uri that is no https URL; signed assertions are not sent there")
        }
        let privateKey: RSAPrivateKey
        do {
            privateKey = try RSAPrivateKey(pem: pem)
        } catch {
            throw .credentials("the private_key in \(path) cannot be used: \(error)")
        }
        self.init(email: email, keyID: file.keyID, privateKey: privateKey, tokenEndpoint: tokenEndpoint)
    }

    private static func contents(_ path: String) throws(StoreError) -> [UInt8] {
        func failed(_ what: String) -> StoreError {
            .credentials("the credentials file \(path) cannot be \(what): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failed("opened") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failed("read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= sizeLimit else {
                throw .credentials("the credentials file \(path) is larger than \(sizeLimit) bytes and not read")
            }
        }
    }
}
