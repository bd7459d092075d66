package import Cryptography
import Digests
package import HTTPStores
package import ObjectStores

/// A key of the transit engine of HashiCorp Vault or OpenBao.
///
/// What is encrypted is bound to `KeyServiceContext` as associated data, which the engine's AEAD keys (`aes256-gcm96`, its standard)
/// authenticate; derived keys get the same as their context.
/// Source: HashiCorp Vault API documentation, transit secrets engine.
package struct HashiCorpKeyService: KeyService {
    private let server: HashiCorpVault
    /// Path of the engine, such as `transit`, and name of the key.
    private let mount: String
    private let key: String
    private let credentials: SharedCredentials<HashiCorpToken>

    package let kind = "hashicorp-transit"
    package var parameters: [String: String] { ["mount": mount, "key": key] }

    /// - Parameter path: `MOUNT/KEY`; the mount may have slashes in it.
    package init(
        path: String, server: HashiCorpVault, credentials: SharedCredentials<HashiCorpToken>
    ) throws(StoreError) {
        let names = path.split(separator: "/", omittingEmptySubsequences: false)
        guard names.count >= 2, names.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw .vault(
                .invalidRequest, "it names no key of the transit engine: write MOUNT/KEY, such as transit/lockstep"
            )
        }
        mount = names.dropLast().joined(separator: "/")
        key = String(names[names.count - 1])
        self.server = server
        self.credentials = credentials
    }

    private static let context = Base64.encode(Array("\(KeyServiceContext.name):\(KeyServiceContext.purpose)".utf8))

    private struct Encrypt: Encodable {
        var plaintext: String
        var context = HashiCorpKeyService.context
        var associatedData = HashiCorpKeyService.context
    }

    private struct Decrypt: Encodable {
        var ciphertext: String
        var context = HashiCorpKeyService.context
        var associatedData = HashiCorpKeyService.context
    }

    private struct Encrypted: Decodable {
        struct Data: Decodable {
            var ciphertext: String
        }
        var data: Data
    }

    private struct Decrypted: Decodable {
        struct Data: Decodable {
            var plaintext: String
        }
        var data: Data
    }

    package func encrypt(_ secret: Secret) async throws(StoreError) -> [UInt8] {
        let body = Encrypt(plaintext: secret.withBytes { Base64.encode($0) })
        let reply = try await post("encrypt", body, as: Encrypted.self)
        guard reply.data.ciphertext.hasPrefix("vault:v") else {
            throw .vault(.invalidResponse, "\(server.endpoint) gave no ciphertext of the transit engine")
        }
        return Array(reply.data.ciphertext.utf8)
    }

    package func decrypt(_ ciphertext: [UInt8], parameters: [String: String]) async throws(StoreError) -> Secret {
        guard parameters["mount"] == mount, parameters["key"] == key else {
            throw .vault(.damaged, "it was encrypted by another key than \(mount)/\(key)")
        }
        guard let text = String(validating: ciphertext, as: UTF8.self), text.hasPrefix("vault:v") else {
            throw .vault(.damaged, "it is no ciphertext of the transit engine")
        }
        let reply = try await post("decrypt", Decrypt(ciphertext: text), as: Decrypted.self)
        guard let plaintext = Base64.decode(reply.data.plaintext) else {
            throw .vault(.invalidResponse, "\(server.endpoint) gave a plaintext that is not base64")
        }
        return Secret(plaintext)
    }

    private func post<Body: Encodable, Reply: Decodable>(
        _ verb: String, _ body: Body, as type: Reply.Type
    ) async throws(StoreError) -> Reply {
        let path = "\(PercentEncoding.encode(mount, keepSlash: true))/\(verb)/\(PercentEncoding.encode(key))"
        let token = try await credentials.current()
        do throws(StoreError) {
            let reply = try await server.post(path, body, token: token.value, as: type)
            credentials.accept()
            return reply
        } catch {
            // A token that has just been renewed or rotated: once more with the new one.
            guard error.code == .forbidden, credentials.refuse(token) else { throw error }
            return try await server.post(path, body, token: try await credentials.current().value, as: type)
        }
    }
}
