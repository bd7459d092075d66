package import Cryptography
import FoundationEssentials
package import HTTPStores
package import ObjectStores

/// The token that opens the server's paths.
package struct HashiCorpToken: Sendable, Equatable {
    package var value: Secret

    package init(_ value: Secret) {
        self.value = value
    }
}

/// Finds a token as the server's own tools do, or by the identity of a Kubernetes pod.
package struct HashiCorpCredentials: CredentialProvider {
    /// Where a token comes from.
    package enum Source: Sendable, Hashable {
        case token(Secret)
        /// A file that an agent keeps fresh; read again at each refresh.
        case file(String)
        /// A log-in by the pod's service account: the role, the method's path, and the file with the account's token.
        case kubernetes(role: String, mount: String, tokenFile: String)
    }

    private let source: Source
    private let server: HashiCorpVault
    private let now: @Sendable () -> Int64

    /// Seconds after which a token file is read again.
    private static let fileLifetime: Int64 = 300
    private static let sizeLimit = 64 << 10
    private static let podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

    package init(_ source: Source, server: HashiCorpVault, now: @escaping @Sendable () -> Int64) {
        self.source = source
        self.server = server
        self.now = now
    }

    /// The first of `VAULT_TOKEN`, `VAULT_TOKEN_FILE`, `VAULT_ROLE` (a Kubernetes log-in at `VAULT_AUTH_MOUNT`, else `kubernetes`, with
    /// the token in `VAULT_JWT_FILE`, else the pod's own), and `~/.vault-token`.
    package static func source(environment: [String: String]) throws(StoreError) -> Source {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let token = variable("VAULT_TOKEN") { return .token(Secret(token)) }
        if let path = variable("VAULT_TOKEN_FILE") { return .file(path) }
        if let role = variable("VAULT_ROLE") {
            return .kubernetes(
                role: role, mount: variable("VAULT_AUTH_MOUNT") ?? "kubernetes",
                tokenFile: variable("VAULT_JWT_FILE") ?? podToken)
        }
        if let home = variable("HOME"), FileManager.default.fileExists(atPath: home + "/.vault-token") {
            return .file(home + "/.vault-token")
        }
        throw .vault(
            .unauthenticated,
            "no token of HashiCorp Vault: set VAULT_TOKEN, VAULT_TOKEN_FILE or, in a Kubernetes pod, VAULT_ROLE, or log in with `vault login`"
        )
    }

    package func load() async throws(StoreError) -> ExpiringCredentials<HashiCorpToken> {
        switch source {
        case .token(let token): return ExpiringCredentials(HashiCorpToken(try Self.checked(token, "VAULT_TOKEN")))
        case .file(let path):
            return ExpiringCredentials(HashiCorpToken(try Self.read(path)), expiration: now() + Self.fileLifetime)
        case .kubernetes(let role, let mount, let tokenFile):
            return try await logIn(role: role, mount: mount, tokenFile: tokenFile)
        }
    }

    private struct LogIn: Encodable {
        var role: String
        var jwt: String
    }

    private struct LoggedIn: Decodable {
        struct Auth: Decodable {
            var clientToken: String
            var leaseDuration: Int64
        }
        var auth: Auth
    }

    private func logIn(
        role: String, mount: String, tokenFile: String
    ) async throws(StoreError) -> ExpiringCredentials<HashiCorpToken> {
        let started = now()
        let body = LogIn(role: role, jwt: try Self.read(tokenFile).revealed())
        let reply = try await server.post(
            "auth/\(PercentEncoding.encode(mount, keepSlash: true))/login", body, token: nil, as: LoggedIn.self)
        let token = try Self.checked(Secret(reply.auth.clientToken), "the log-in's answer")
        let lifetime = reply.auth.leaseDuration
        // 0: it does not expire.
        return ExpiringCredentials(HashiCorpToken(token), expiration: lifetime > 0 ? started + lifetime : nil)
    }

    /// The file's content without blanks around it.
    private static func read(_ path: String) throws(StoreError) -> Secret {
        let data = try CredentialFile.contents(path, purpose: "the token file", limit: sizeLimit)
        let isBlank: (UInt8) -> Bool = { $0 <= 0x20 }
        let text = data.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        return try checked(Secret(Array(text)), path)
    }

    /// A token becomes a header.
    private static func checked(_ token: Secret, _ origin: String) throws(StoreError) -> Secret {
        guard !token.isEmpty, token.withBytes({ $0.allSatisfy { (0x21...0x7E).contains($0) } }) else {
            throw .vault(.unauthenticated, "\(origin) holds no token: it must be one line of printable characters")
        }
        return token
    }
}
