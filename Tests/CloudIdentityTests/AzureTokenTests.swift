import Azure
import Cryptography
import Digests
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import Synchronization
import TestFixtures
import Testing

/// Tokens of Microsoft Entra: what is sent to get one, and what is made of the answer.
@Suite struct AzureTokenTests {
    typealias Reply = ScriptedTransport.Reply

    static let application = ["AZURE_TENANT_ID": "contoso.example", "AZURE_CLIENT_ID": "app-1"]
    static let canary = "canary-Secret+/&="

    static func reply(_ token: String, _ lifetime: String = "3600") -> Reply {
        Reply(200, body: #"{"token_type":"Bearer","expires_in":\#(lifetime),"access_token":"\#(token)"}"#)
    }

    static func shared(
        _ transport: ScriptedTransport, _ environment: [String: String], identity: AzureIdentity = AzureIdentity(),
        scope: AzureScope = .storage, endpoint: Endpoint? = nil,
        now: @escaping @Sendable () -> Int64 = { 1_800_000_000 }
    ) throws -> SharedCredentials<AzureCredentials> {
        try #require(
            try AzureCredentials.shared(
                identity, account: "acct", scope: scope, endpoint: endpoint, environment: environment,
                transport: transport, now: now))
    }

    static func failure(_ credentials: SharedCredentials<AzureCredentials>) async -> StoreError? {
        do throws(StoreError) {
            _ = try await credentials.current()
            return nil
        } catch {
            return error
        }
    }

    static func form(_ request: HTTPRequest) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in request.bodyText.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1)
            fields[String(halves[0])] = String(decoding: PercentEncoding.decode(halves[1].utf8), as: UTF8.self)
        }
        return fields
    }

    @Test func clientSecret() async throws {
        let transport = ScriptedTransport(Self.reply("token-1"))
        let environment = Self.application.merging(["AZURE_CLIENT_SECRET": Self.canary]) { $1 }
        #expect(try await Self.shared(transport, environment).current() == .token(Secret("token-1")))
        let request = try #require(transport.requests.first)
        #expect(request.method == .post && request.reach == .service)
        #expect(request.url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token")
        #expect(
            Self.form(request) == [
                "client_id": "app-1", "client_secret": Self.canary, "grant_type": "client_credentials",
                "scope": "https://storage.azure.com/.default",
            ])
    }

    @Test func cloudsAndAuthorities() async throws {
        func url(
            _ host: String?, scope: AzureScope = .storage, _ more: [String: String] = [:]
        ) async throws -> (String, String?) {
            let transport = ScriptedTransport(Self.reply("t"))
            let environment = Self.application.merging(["AZURE_CLIENT_SECRET": "s"]) { $1 }.merging(more) { $1 }
            _ = try await Self.shared(
                transport, environment, scope: scope, endpoint: host.map { Endpoint(host: $0) }
            ).current()
            let request = transport.requests[0]
            return (request.url, Self.form(request)["scope"])
        }
        #expect(try await url("acct.blob.core.usgovcloudapi.net").0.contains("login.microsoftonline.us/"))
        #expect(try await url("acct.blob.core.windows.net").1 == "https://storage.azure.com/.default")
        let vault = try await url("v.vault.azure.cn", scope: .keyVault)
        #expect(vault.1 == "https://vault.azure.cn/.default")
        let module = try await url("v.managedhsm.azure.net", scope: .managedHSM)
        #expect(module.1 == "https://managedhsm.azure.net/.default")
        let own = try await url(nil, ["AZURE_AUTHORITY_HOST": "login.own.example/"])
        #expect(own.0.contains("login.own.example/"))
    }

    @Test func refusals() async throws {
        let environment = Self.application.merging(["AZURE_CLIENT_SECRET": Self.canary]) { $1 }
        func failure(_ reply: Reply) async throws -> StoreError {
            try #require(await Self.failure(Self.shared(ScriptedTransport(reply), environment)))
        }
        var error = try await failure(
            Reply(
                401,
                body:
                    #"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret.\r\nTrace ID: x"}"#
            ))
        #expect(error.code == .unauthenticated && error.retry == .never)
        #expect(error.message.contains("app-1") && error.message.contains("AADSTS7000215: Invalid client secret."))
        #expect(!error.message.contains("Trace ID"))
        error = try await failure(Reply(400, body: #"{"error":"bad","error_description":"you sent \#(Self.canary)"}"#))
        #expect(!error.message.contains(Self.canary))
        error = try await failure(Reply(302, ["location": "https://evil.example"]))
        #expect(error.code == .unauthenticated && error.message.contains("redirects"))
        error = try await failure(Reply(503))
        #expect(error.code == .unavailable && error.retry == .transient)
        error = try await failure(Reply(429, ["retry-after": "7"]))
        #expect(error.code == .throttled && error.retry == .after(.seconds(7)))
        for body in ["", "[]", #"{"access_token":"t"}"#, #"{"access_token":"a b","expires_in":1}"#] {
            error = try await failure(Reply(200, body: body))
            #expect(error.code == .unavailable && error.retry == .transient, "\(body)")
        }
    }

    /// However many requests wait, one asks; and nobody asks again until the token nears its end.
    @Test func oneRefreshForAll() async throws {
        let clock = Mutex<Int64>(1_800_000_000)
        let transport = ScriptedTransport { _, number in Self.reply("token-\(number)") }
        let environment = Self.application.merging(["AZURE_CLIENT_SECRET": Self.canary]) { $1 }
        let credentials = try Self.shared(transport, environment, now: { clock.withLock { $0 } })
        func all() async throws -> Set<String> {
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        guard case .token(let token) = try await credentials.current() else { return "" }
                        return token.revealed()
                    }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
        }
        #expect(try await all() == ["token-0"])
        clock.withLock { $0 += 3299 }
        #expect(try await all() == ["token-0"])
        // Less than a minute is left.
        clock.withLock { $0 += 242 }
        #expect(try await all() == ["token-1"])
        #expect(transport.requests.count == 2)
    }

    @Test func clientCertificate() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "azure-\(UUID().uuidString).pem").path
        let key = try RSAPrivateKey(pem: RSATestKey.privatePEM)
        try Data((RSATestKey.certificatePEM + RSATestKey.privatePEM).utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let transport = ScriptedTransport(Self.reply("token-1"))
        let environment = Self.application.merging(["AZURE_CLIENT_CERTIFICATE_PATH": path]) { $1 }
        #expect(try await Self.shared(transport, environment).current() == .token(Secret("token-1")))
        let form = Self.form(transport.requests[0])
        #expect(form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        #expect(form["client_secret"] == nil)
        let parts = try #require(form["client_assertion"]).split(separator: ".").map(String.init)
        #expect(parts.count == 3)
        func bytes(_ part: String) throws -> [UInt8] {
            let standard = String(part.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
            return try #require(Base64.decode(standard + String(repeating: "=", count: (4 - part.count % 4) % 4)))
        }
        let header = try JSONDecoder().decode([String: String].self, from: Data(bytes(parts[0])))
        #expect(header == ["alg": "PS256", "typ": "JWT", "x5t#S256": RSATestKey.thumbprint])
        struct Claims: Decodable, Equatable {
            var aud, iss, sub, jti: String
            var nbf, exp: Int
        }
        let claims = try JSONDecoder().decode(Claims.self, from: Data(bytes(parts[1])))
        #expect(
            claims
                == Claims(
                    aud: transport.requests[0].url, iss: "app-1", sub: "app-1", jti: claims.jti, nbf: 1_800_000_000,
                    exp: 1_800_001_800))
        #expect(claims.jti.count == 36)
        let signed = Array("\(parts[0]).\(parts[1])".utf8)
        #expect(try RSAPublicKey(pem: key.publicKeyPEM()).verifyPSSSHA256(signed, bytes(parts[2])))
    }

    @Test func certificateThatCannotBeUsed() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "azure-\(UUID().uuidString).pem").path
        let environment = Self.application.merging(["AZURE_CLIENT_CERTIFICATE_PATH": path]) { $1 }
        var error = try #require(await Self.failure(Self.shared(AzureCredentialsTests.silent, environment)))
        #expect(
            error.code == .unauthenticated && error.message.contains(path) && error.message.contains("No such file"))
        try Data(RSATestKey.privatePEM.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        error = try #require(await Self.failure(Self.shared(AzureCredentialsTests.silent, environment)))
        #expect(error.code == .unauthenticated && error.message.contains("no certificate"))
    }

    /// The file is read again for each token: its owner renews it.
    @Test func federatedToken() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "azure-\(UUID().uuidString).jwt").path
        try Data("assertion-1\n".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let clock = Mutex<Int64>(1_800_000_000)
        let transport = ScriptedTransport { _, number in Self.reply("token-\(number)", "\"3600\"") }
        let environment = Self.application.merging(["AZURE_FEDERATED_TOKEN_FILE": path]) { $1 }
        let credentials = try Self.shared(transport, environment, now: { clock.withLock { $0 } })
        #expect(try await credentials.current() == .token(Secret("token-0")))
        clock.withLock { $0 += 3600 }
        try Data("assertion-2".utf8).write(to: URL(filePath: path))
        #expect(try await credentials.current() == .token(Secret("token-1")))
        #expect(transport.requests.map { Self.form($0)["client_assertion"] } == ["assertion-1", "assertion-2"])
        clock.withLock { $0 += 3600 }
        try Data("two words".utf8).write(to: URL(filePath: path))
        let error = try #require(await Self.failure(credentials))
        #expect(error.code == .unauthenticated && error.message.contains(path) && !error.message.contains("two words"))
    }
}
