package import Cryptography
import Digests
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A symmetric key of Amazon's Key Management Service.
///
/// Secrets are bound to `KeyServiceContext` by the encryption context, and decryption names the key: what another key has encrypted is
/// refused by the service. Source: AWS Key Management Service API reference, 2014-11-01.
package struct AWSKeyService: KeyService {
    package let kind = "aws-kms"
    package let parameters: [String: String]

    private let key: String
    private let client: AWSJSONClient
    private let now: @Sendable () -> Int64

    /// What `Encrypt` takes at most.
    private static let secretLimit = 4096
    private static let context = [KeyServiceContext.name: KeyServiceContext.purpose]

    private struct EncryptInput: Encodable {
        var keyID: String
        var plaintext: String
        var context: [String: String]

        private enum CodingKeys: String, CodingKey {
            case keyID = "KeyId"
            case plaintext = "Plaintext"
            case context = "EncryptionContext"
        }
    }

    private struct EncryptOutput: Decodable {
        var ciphertext: String

        private enum CodingKeys: String, CodingKey {
            case ciphertext = "CiphertextBlob"
        }
    }

    private struct DecryptInput: Encodable {
        var keyID: String
        var ciphertext: String
        var context: [String: String]

        private enum CodingKeys: String, CodingKey {
            case keyID = "KeyId"
            case ciphertext = "CiphertextBlob"
            case context = "EncryptionContext"
        }
    }

    private struct DecryptOutput: Decodable {
        var plaintext: String

        private enum CodingKeys: String, CodingKey {
            case plaintext = "Plaintext"
        }
    }

    /// - Parameters:
    ///   - key: an ARN of a key or of an alias; or a key's id or `alias/NAME`, and then with the region.
    ///   - region: nil takes it from the ARN.
    ///   - endpoint: nil is Amazon's host of the region. See `AWSServiceAddress.configured`.
    ///   - now: seconds since 1970.
    package init(
        key: String, region: String?, endpoint: Endpoint?, credentials: SharedCredentials<AWSCredentials>,
        transport: any HTTPTransport, now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        let named = try Self.region(of: key)
        if let named, let region, named != region {
            throw .credentials(
                "the key \(key) is in region \(named), and region \(region) is asked for; leave one of them out")
        }
        guard let region = named ?? region else {
            throw .credentials("the region of the key \(key) is not said; give the key's ARN, or a region")
        }
        let address = try AWSServiceAddress(
            .kms, region: region, endpoint: endpoint.map { ($0.description, "the endpoint of the key service") })
        guard address.endpoint.scheme == "https" || address.endpoint.isLoopback else {
            throw .credentials("keys must not travel unencrypted: use https for \(address.endpoint.origin)")
        }
        client = AWSJSONClient(
            .kms, at: address, version: "1.1", target: "TrentService", credentials: credentials, transport: transport,
            now: now)
        parameters = ["key": key, "region": region]
        self.key = key
        self.now = now
    }

    /// The region in an ARN; nil for a key's id and an alias without one.
    private static func region(of key: String) throws(StoreError) -> String? {
        let isLegal = key.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard isLegal, (1...2048).contains(key.utf8.count) else {
            throw .credentials("the name of a key is an ARN, a key's id or alias/NAME")
        }
        guard key.hasPrefix("arn:") else { return nil }
        let parts = key.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[2] == "kms", AWSHost.isRegion(String(parts[3])),
            parts[5].hasPrefix("key/") || parts[5].hasPrefix("alias/")
        else {
            throw .credentials(
                "it is no ARN of a key, which looks like arn:aws:kms:eu-west-1:123456789012:key/… or …:alias/NAME")
        }
        return String(parts[3])
    }

    package func encrypt(_ secret: Secret) async throws(StoreError) -> [UInt8] {
        precondition((1...Self.secretLimit).contains(secret.count), "KMS encrypts 1 to \(Self.secretLimit) bytes")
        let input = EncryptInput(
            keyID: key, plaintext: secret.withBytes { Base64.encode($0) }, context: Self.context)
        let output = try await client.call("Encrypt", input, as: EncryptOutput.self) { explain($0, "encrypts nothing") }
        guard let ciphertext = Base64.decode(output.ciphertext), !ciphertext.isEmpty else { throw malformed }
        return ciphertext
    }

    /// - Parameter parameters: not looked at: the key is this one, or the secret stays closed.
    package func decrypt(_ ciphertext: [UInt8], parameters: [String: String]) async throws(StoreError) -> Secret {
        let input = DecryptInput(keyID: key, ciphertext: Base64.encode(ciphertext), context: Self.context)
        let output = try await client.call("Decrypt", input, as: DecryptOutput.self) {
            explain($0, "does not decrypt this secret")
        }
        guard let bytes = Base64.decode(output.plaintext), !bytes.isEmpty else { throw malformed }
        return Secret(bytes)
    }

    private var malformed: StoreError {
        StoreError(.invalidResponse, .head, message: "the key service answers without a value", retry: .transient)
    }

    private func explain(_ failure: AWSFailure, _ what: String) -> StoreError? {
        func error(_ code: StoreError.Code, _ advice: String) -> StoreError {
            var error = failure.error(
                .head, of: "the key service", "the key \(key) \(what): \(advice)", isQuoted: false, now: now())
            error.code = code
            error.retry = .never
            return error
        }
        switch failure.code {
        case "InvalidCiphertextException":
            return error(.damaged, "it was encrypted by another key or for another purpose, or is damaged")
        case "IncorrectKeyException":
            return error(
                .damaged,
                "another key has encrypted it; if an alias was pointed to a new key, name the old one by its ARN")
        case "DisabledException":
            return error(.forbidden, "it is disabled; enable it, or open with another key")
        case "KMSInvalidStateException":
            return error(
                .forbidden,
                "its state does not allow that, perhaps because it is to be deleted; look at it in the console")
        case "NotFoundException":
            return error(.notFound, "there is no such key in this region and account")
        case "InvalidKeyUsageException", "InvalidArnException":
            return error(.invalidRequest, "it must be a symmetric key for encryption and decryption")
        case let code where code.hasPrefix("AccessDenied"):
            return error(.forbidden, "these credentials lack kms:Encrypt or kms:Decrypt on it")
        default: return nil
        }
    }
}
