package import Cryptography
import Digests
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A symmetric key of Cloud Key Management Service.
///
/// What it encrypts is bound to `lockstep:vault-key-slot` as additional data. Every byte that goes there or comes back is covered by
/// a CRC-32C that the other side checks.
package struct GoogleKeyService: KeyService {
    private let key: String
    private let service: GoogleService

    /// Both sides take at most so many bytes (keys in hardware 8 KiB with the additional data).
    private static let secretLimit = 8 << 10
    private static let ciphertextLimit = 64 << 10
    private static let collections = ["projects", "locations", "keyRings", "cryptoKeys"]
    private static let additionalData = Array("\(KeyServiceContext.name):\(KeyServiceContext.purpose)".utf8)

    private struct EncryptRequest: Encodable {
        var plaintext: String
        var additionalAuthenticatedData: String
        var plaintextCrc32c: String
        var additionalAuthenticatedDataCrc32c: String
    }

    private struct EncryptReply: Decodable {
        var ciphertext: String
        var ciphertextCrc32c: String
        var verifiedPlaintextCrc32c: Bool?
        var verifiedAdditionalAuthenticatedDataCrc32c: Bool?
    }

    private struct DecryptRequest: Encodable {
        var ciphertext: String
        var additionalAuthenticatedData: String
        var ciphertextCrc32c: String
        var additionalAuthenticatedDataCrc32c: String
    }

    private struct DecryptReply: Decodable {
        /// Absent when empty.
        var plaintext: String?
        var plaintextCrc32c: String
    }

    /// - Parameters:
    ///   - key: `projects/P/locations/L/keyRings/R/cryptoKeys/K`, without a version.
    ///   - endpoint: instead of Google's.
    ///   - credentials: with the scope `.platform`; nil sends none.
    ///   - now: seconds since 1970.
    package init(
        key: String, endpoint: Endpoint?, credentials: SharedCredentials<GoogleToken>?, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        guard GoogleResourceName.isValid(key, Self.collections) else {
            throw StoreError(
                .invalidRequest, .head,
                message: "it names no key of Cloud KMS; write "
                    + "projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version")
        }
        self.key = key
        service = try GoogleService(
            endpoint: endpoint ?? Endpoint(host: "cloudkms.googleapis.com"), credentials: credentials,
            transport: transport, now: now)
    }

    /// What stands in for Google's endpoint in `CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS`, which gcloud reads too; else Google's.
    package static func endpoint(environment: [String: String]) throws(StoreError) -> Endpoint {
        try GoogleHosts.endpoint(of: "cloudkms", environment: environment)
    }

    package var kind: String { "gcp-kms" }
    package var parameters: [String: String] { ["key": key] }

    package func encrypt(_ secret: Secret) async throws(StoreError) -> [UInt8] {
        guard secret.count <= Self.secretLimit else {
            throw StoreError(
                .invalidRequest, .put, message: "\(call("encrypt").subject) encrypts at most \(Self.secretLimit) bytes")
        }
        let plaintext = secret.withBytes { (Base64.encode($0), Self.checksum($0)) }
        let aad = Self.additionalData.withUnsafeBytes { (Base64.encode($0), Self.checksum($0)) }
        let reply = try await service.send(
            EncryptRequest(
                plaintext: plaintext.0, additionalAuthenticatedData: aad.0, plaintextCrc32c: plaintext.1,
                additionalAuthenticatedDataCrc32c: aad.1), call("encrypt"), EncryptReply.self)
        guard reply.verifiedPlaintextCrc32c == true, reply.verifiedAdditionalAuthenticatedDataCrc32c == true,
            let ciphertext = Base64.decode(reply.ciphertext), !ciphertext.isEmpty,
            ciphertext.count <= Self.ciphertextLimit,
            ciphertext.withUnsafeBytes({ Self.checksum($0) }) == reply.ciphertextCrc32c
        else { throw changedOnTheWay(.put) }
        return ciphertext
    }

    package func decrypt(_ ciphertext: [UInt8], parameters: [String: String]) async throws(StoreError) -> Secret {
        guard parameters["key"] == key, !ciphertext.isEmpty, ciphertext.count <= Self.ciphertextLimit else {
            throw foreign(parameters)
        }
        let text = ciphertext.withUnsafeBytes { (Base64.encode($0), Self.checksum($0)) }
        let aad = Self.additionalData.withUnsafeBytes { (Base64.encode($0), Self.checksum($0)) }
        let reply: DecryptReply
        do throws(StoreError) {
            reply = try await service.send(
                DecryptRequest(
                    ciphertext: text.0, additionalAuthenticatedData: aad.0, ciphertextCrc32c: text.1,
                    additionalAuthenticatedDataCrc32c: aad.1), call("decrypt"), DecryptReply.self)
        } catch {
            throw error.serviceCode == "INVALID_ARGUMENT" ? foreign(parameters) : error
        }
        guard let plaintext = Base64.decode(reply.plaintext ?? ""),
            plaintext.withUnsafeBytes({ Self.checksum($0) }) == reply.plaintextCrc32c
        else { throw changedOnTheWay(.read) }
        return Secret(plaintext)
    }

    private func call(_ verb: String) -> GoogleService.Call {
        let isEncryption = verb == "encrypt"
        return GoogleService.Call(
            path: "\(key):\(verb)", operation: isEncryption ? .put : .read, subject: "key \(key)",
            permission: isEncryption
                ? "cloudkms.cryptoKeyVersions.useToEncrypt" : "cloudkms.cryptoKeyVersions.useToDecrypt")
    }

    /// As Google writes 64-bit numbers in JSON.
    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> String { String(CRC32C.update(0, bytes)) }

    private func foreign(_ parameters: [String: String]) -> StoreError {
        let other = parameters["key"].flatMap { $0 == key ? nil : ", but with \(ServerText.readable($0))" } ?? ""
        return StoreError(
            .damaged, .read, message: "it was not encrypted with key \(key)\(other), or it has been changed since")
    }

    private func changedOnTheWay(_ operation: StoreOperation) -> StoreError {
        StoreError(
            .checksumMismatch, operation, message: "bytes for or from key \(key) were changed on the way",
            retry: .transient)
    }
}
