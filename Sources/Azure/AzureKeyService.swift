package import Cryptography
import Digests
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A key of Azure Key Vault or of a managed HSM.
///
/// RSA keys wrap by RSA-OAEP-256, symmetric keys of a managed HSM by A256KW; neither authenticates anything besides the secret. What
/// `encrypt` gives names the version of the key that wrapped it, so that it opens after the key was rotated.
/// Source: Key Vault REST reference 7.4, wrap key and unwrap key.
package struct AzureKeyService: KeyService {
    package let kind = "azure-key-vault"

    private let address: AzureKeyAddress
    private let credentials: SharedCredentials<AzureCredentials>
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64

    private static let apiVersion = "7.4"
    private static let replyLimit = 64 << 10

    /// What the key vault does with a key of RSA; a managed HSM tells which kind its key is of.
    private enum Algorithm: String, Codable {
        case rsa = "RSA-OAEP-256"
        case aes = "A256KW"
    }

    /// What is kept: no host stands in it, so that it cannot choose one.
    private struct Wrapped: Codable {
        var alg: Algorithm
        var version: String
        /// As the service wrote it.
        var value: String
    }

    private struct Request: Encodable {
        var alg: Algorithm
        var value: String
    }

    private struct Reply: Decodable {
        var kid: String
        var value: String
    }

    private struct Description: Decodable {
        struct Key: Decodable {
            var kid: String
            var kty: String
        }
        var key: Key
    }

    /// - Parameters:
    ///   - key: `https://VAULT.vault.azure.net/keys/NAME[/VERSION]`. Without a version the newest wraps.
    ///   - credentials: of `scope(of:)`.
    ///   - now: seconds since 1970.
    package init(
        key: String, credentials: SharedCredentials<AzureCredentials>, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(SettingError) {
        address = try AzureKeyAddress(key)
        self.credentials = credentials
        self.transport = transport
        self.now = now
    }

    /// What the tokens for a key must be good for, and the service that they are sent to.
    package static func scope(of key: String) throws(SettingError) -> (scope: AzureScope, endpoint: Endpoint) {
        let address = try AzureKeyAddress(key)
        return (address.isManagedHSM ? .managedHSM : .keyVault, address.vault)
    }

    package var parameters: [String: String] { ["key": address.key] }

    package func encrypt(_ secret: Secret) async throws(StoreError) -> [UInt8] {
        var version = address.version
        var algorithm = Algorithm.rsa
        // Only then is the right to read the key needed.
        if version == nil || address.isManagedHSM {
            let description = try await call(
                .get, version.map { "/\($0)" } ?? "", nil as Request?, as: Description.self)
            version = try address.version(in: description.key.kid)
            algorithm = try Self.algorithm(description.key.kty, address)
        }
        guard let version else { throw Self.error(.invalidResponse, "\(address.vault) names no version of the key") }
        let value = secret.withBytes { Base64.encodeForURL(Array($0)) }
        let reply = try await call(
            .post, "/\(version)/wrapkey", Request(alg: algorithm, value: value), as: Reply.self)
        guard try address.version(in: reply.kid) == version, Self.bytes(reply.value)?.isEmpty == false else {
            throw Self.error(.invalidResponse, "\(address.vault) answers for another key than it was asked about")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(Wrapped(alg: algorithm, version: version, value: reply.value)))
        } catch {
            throw Self.error(.local, "the wrapped key cannot be written: \(error)")
        }
    }

    package func decrypt(_ ciphertext: [UInt8], parameters: [String: String]) async throws(StoreError) -> Secret {
        guard parameters["key"] == address.key else {
            throw Self.error(.damaged, "it was encrypted by another key than \(address.key)")
        }
        guard let wrapped = try? JSONDecoder().decode(Wrapped.self, from: Data(ciphertext)),
            AzureKeyAddress.isVersion(wrapped.version), Self.bytes(wrapped.value)?.isEmpty == false
        else { throw Self.error(.damaged, "it is no key that Azure Key Vault has wrapped") }
        let reply = try await call(
            .post, "/\(wrapped.version)/unwrapkey", Request(alg: wrapped.alg, value: wrapped.value), as: Reply.self)
        guard let bytes = Self.bytes(reply.value) else {
            throw Self.error(.invalidResponse, "\(address.vault) gave a key that is not base64")
        }
        return Secret(bytes)
    }

    private static func algorithm(_ type: String, _ address: AzureKeyAddress) throws(StoreError) -> Algorithm {
        switch type {
        case "RSA", "RSA-HSM": return .rsa
        case "oct", "oct-HSM": return .aes
        default:
            throw error(
                .unsupportedOperation,
                "\(address.key) is of type \(ServerText.readable(type)), which wraps no keys: use an RSA key, or in a managed HSM a "
                    + "symmetric one")
        }
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        let standard = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        return Base64.decode(standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4))
    }

    // MARK: calls

    private func call<Reply: Decodable>(
        _ method: HTTPMethod, _ path: String, _ body: Request?, as type: Reply.Type
    ) async throws(StoreError) -> Reply {
        let used = try await credentials.current()
        guard case .token(let token) = used else {
            throw Self.error(
                .unauthenticated,
                "key vaults take tokens only: set AZURE_CLIENT_ID and what proves it, or run with a managed identity")
        }
        var headers: HTTPHeaders = ["authorization": "Bearer \(token.revealed())", "accept": "application/json"]
        var content: [UInt8] = []
        if let body {
            headers.append("content-type", "application/json")
            do {
                content = Array(try JSONEncoder().encode(body))
            } catch {
                throw Self.error(.local, "the request cannot be written: \(error)")
            }
        }
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(
                HTTPRequest(
                    method, "\(address.key)\(path)?api-version=\(Self.apiVersion)", headers: headers,
                    body: body == nil ? .empty : .bytes(content)), into: .collect(limit: Self.replyLimit))
        } catch {
            throw StoreError(error, .head, key: nil)
        }
        guard response.status == 200 else { throw failure(response, used, isUnwrapping: path.hasSuffix("/unwrapkey")) }
        credentials.accept()
        // Nothing of the reply in the error: it may hold the key.
        guard let reply = try? JSONDecoder().decode(type, from: Data(response.body)) else {
            throw Self.error(.invalidResponse, "\(address.vault) gave an answer that cannot be read", retry: .transient)
        }
        return reply
    }

    private static func error(
        _ code: StoreError.Code, _ message: String, retry: StoreError.Retry = .never
    ) -> StoreError {
        StoreError(code, .head, message: message, retry: retry)
    }

    private struct Refusal: Decodable {
        struct Detail: Decodable {
            var code: String?
            var message: String?
        }
        var error: Detail?
    }

    private func failure(_ response: HTTPResponse, _ used: AzureCredentials, isUnwrapping: Bool) -> StoreError {
        let refusal = (try? JSONDecoder().decode(Refusal.self, from: Data(response.body)))?.error
        var (code, message, retry): (StoreError.Code, String, StoreError.Retry) =
            switch response.status {
            case 400 where isUnwrapping: (.damaged, "\(address.key) did not encrypt it, or it is damaged", .never)
            case 401: (.unauthenticated, "\(address.vault) does not take the token", .transient)
            case 403:
                (
                    .forbidden,
                    "\(address.vault) denies the use of the key: it needs wrapKey and unwrapKey, and get where no version is named "
                        + "(role Key Vault Crypto Service Encryption User); its firewall or a disabled key deny it too",
                    .never
                )
            case 404: (.notFound, "\(address.vault) has no such key or version of it: \(address.key)", .never)
            case 429: (.throttled, "\(address.vault) asks to slow down", .transient)
            case 500...599: (.unavailable, "\(address.vault) cannot answer now", .transient)
            default: (.invalidRequest, "\(address.vault) answered HTTP \(response.status)", .never)
            }
        if response.status == 401 {
            if !credentials.refuse(used) { retry = .never }
            if let challenge = AzureChallenge(response.headers) { message += "; \(challenge.advice)" }
        }
        if let words = refusal?.message, response.status != 401 {
            message += " (it says: \(ServerText.readable(words)))"
        }
        if retry == .transient, let delay = StoreError.retryAfter(response.headers, now: now()) {
            retry = .after(delay)
        }
        return StoreError(
            code, .head, message: message, retry: retry, status: response.status,
            serviceCode: ServerText.readable(refusal?.code ?? ""), requestID: response.headers["x-ms-request-id"])
    }
}

/// Vault, name and version of a key.
struct AzureKeyAddress: Sendable {
    let vault: Endpoint
    let name: String
    let version: String?
    let isManagedHSM: Bool

    /// Without the version.
    var key: String { "\(vault)/keys/\(name)" }

    init(_ text: String) throws(SettingError) {
        guard let endpoint = Endpoint(text), let parsed = Self.parse(endpoint) else {
            throw SettingError(
                message:
                    "it names no key: write https://VAULT.vault.azure.net/keys/NAME, or with /VERSION behind it")
        }
        let host = endpoint.host
        let isVault = AzureCloud.allCases.contains { host.hasSuffix(".\($0.vaultDomain)") }
        isManagedHSM = AzureCloud.allCases.contains { host.hasSuffix(".\($0.managedHSMDomain)") }
        // Tokens for key vaults open all of them: they go to no other server.
        guard (isVault || isManagedHSM) && endpoint.scheme == "https" || endpoint.isLoopback else {
            throw SettingError(
                message:
                    "it is not at a key vault (https://….vault.azure.net) or managed HSM, and tokens go nowhere else"
            )
        }
        (vault, name, version) = parsed
    }

    private static func parse(_ endpoint: Endpoint) -> (Endpoint, String, String?)? {
        let segments = endpoint.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(
            String.init)
        guard (2...3).contains(segments.count), segments[0] == "keys", isName(segments[1]) else { return nil }
        if segments.count == 3, !isVersion(segments[2]) { return nil }
        var vault = endpoint
        vault.path = ""
        return (vault, segments[1], segments.count == 3 ? segments[2] : nil)
    }

    /// The version that a key identifier of the service names, which must be one of this key.
    func version(in identifier: String) throws(StoreError) -> String {
        guard let endpoint = Endpoint(identifier), let (vault, name, version) = Self.parse(endpoint),
            vault.host == self.vault.host, name.lowercased() == self.name.lowercased(), let version
        else {
            throw StoreError(
                .invalidResponse, .head, message: "\(self.vault) answers for another key than it was asked about")
        }
        return version
    }

    private static func isName(_ text: String) -> Bool {
        (1...127).contains(text.utf8.count) && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    static func isVersion(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isAlphanumeric)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
