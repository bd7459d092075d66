import Azure
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

@Suite struct AzureKeyServiceTests {
    typealias Reply = ScriptedTransport.Reply

    static let key = "https://v.vault.azure.net/keys/lockstep"
    static let version = "78deebed173b48e48f55abf87ed4cf71"
    static let secret = Secret(Array(0..<32))

    static func service(_ transport: ScriptedTransport, key: String = key) throws -> AzureKeyService {
        try AzureKeyService(
            key: key, credentials: SharedCredentials(.token(Secret("canary-token"))), transport: transport,
            now: { 1_800_000_000 })
    }

    static func description(_ type: String, key: String = key, version: String = version) -> Reply {
        Reply(
            200,
            body: #"{"key":{"kid":"\#(key)/\#(version)","kty":"\#(type)","n":"AQAB"},"attributes":{"enabled":true}}"#)
    }

    static func result(_ value: String, key: String = key, version: String = version) -> Reply {
        Reply(200, body: #"{"kid":"\#(key)/\#(version)","value":"\#(value)"}"#)
    }

    static func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func theNewestVersionWrapsAndItsOwnUnwraps() async throws {
        let plain = Base64.encodeForURL(Array(0..<32))
        let transport = ScriptedTransport(Self.description("RSA"), Self.result("d3JhcHBlZA"), Self.result(plain))
        let service = try Self.service(transport)
        #expect(service.kind == "azure-key-vault" && service.parameters == ["key": Self.key])
        let wrapped = try await service.encrypt(Self.secret)
        #expect(
            String(decoding: wrapped, as: UTF8.self)
                == #"{"alg":"RSA-OAEP-256","value":"d3JhcHBlZA","version":"\#(Self.version)"}"#)
        #expect(try await service.decrypt(wrapped, parameters: service.parameters) == Self.secret)
        #expect(
            transport.requests.map(\.url) == [
                "\(Self.key)?api-version=7.4", "\(Self.key)/\(Self.version)/wrapkey?api-version=7.4",
                "\(Self.key)/\(Self.version)/unwrapkey?api-version=7.4",
            ])
        #expect(transport.requests.allSatisfy { $0.headers["authorization"] == "Bearer canary-token" })
        #expect(
            transport.requests[1].bodyText.contains(plain) && transport.requests[1].bodyText.contains("RSA-OAEP-256"))
    }

    @Test func aNamedVersionNeedsNoRightToReadTheKey() async throws {
        let transport = ScriptedTransport(Self.result("d3JhcHBlZA"))
        _ = try await Self.service(transport, key: "\(Self.key)/\(Self.version)").encrypt(Self.secret)
        #expect(transport.requests.map(\.url) == ["\(Self.key)/\(Self.version)/wrapkey?api-version=7.4"])
    }

    @Test func symmetricKeysOfAManagedHSM() async throws {
        let key = "https://m.managedhsm.azure.net/keys/k"
        let transport = ScriptedTransport(Self.description("oct-HSM", key: key), Self.result("d3JhcHBlZA", key: key))
        let wrapped = try await Self.service(transport, key: "\(key)/\(Self.version)").encrypt(Self.secret)
        #expect(String(decoding: wrapped, as: UTF8.self).contains("A256KW"))
        let curve = ScriptedTransport(Self.description("EC", key: key))
        let error = await Self.failure { () throws(StoreError) in
            try await Self.serviceOrCrash(curve, key).encrypt(Self.secret)
        }
        #expect(error?.code == .unsupportedOperation)
    }

    static func serviceOrCrash(_ transport: ScriptedTransport, _ key: String = key) -> AzureKeyService {
        guard let service = try? service(transport, key: key) else { preconditionFailure("\(key) is a key") }
        return service
    }

    /// Whatever lies beside a ciphertext comes from where it was stored: nobody is asked.
    @Test func nothingThatWasStoredChoosesAServer() async throws {
        let transport = ScriptedTransport(Self.result("AAAA"))
        let service = try Self.service(transport)
        func wrapped(_ version: String, _ algorithm: String = "RSA-OAEP-256") -> [UInt8] {
            Array(#"{"alg":"\#(algorithm)","value":"AAAA","version":"\#(version)"}"#.utf8)
        }
        for (ciphertext, parameters) in [
            (wrapped(Self.version), ["key": "https://evil.vault.azure.net/keys/lockstep"]),
            (wrapped(Self.version), [:]),
            (wrapped("../../secrets/x"), service.parameters), (wrapped(""), service.parameters),
            (wrapped(Self.version, "RSA1_5"), service.parameters), ([], service.parameters),
            (Array("{}".utf8), service.parameters),
        ] {
            let error = await Self.failure { () throws(StoreError) in
                try await service.decrypt(ciphertext, parameters: parameters)
            }
            #expect(error?.code == .damaged)
        }
        #expect(transport.requests.isEmpty)
        for reply in [
            Self.description("RSA", key: "https://evil.example/keys/lockstep"),
            Self.description("RSA", key: "https://v.vault.azure.net/keys/other"),
            Self.description("RSA", version: "a/b"),
            Reply(200, body: "canary-body"),
        ] {
            let error = await Self.failure { () throws(StoreError) in
                try await Self.serviceOrCrash(ScriptedTransport(reply)).encrypt(Self.secret)
            }
            #expect(error?.code == .invalidResponse && error?.message.contains("canary") == false)
        }
    }

    @Test func tokensGoToKeyVaultsOnly() throws {
        for key in [
            "https://evil.example/keys/k", "http://v.vault.azure.net/keys/k",
            "https://v.vault.azure.net.evil.example/keys/k",
            "https://v.vault.azure.net/secrets/k", "https://v.vault.azure.net/keys/k/v/more",
            "https://v.vault.azure.net/keys/..",
            "v.vault.azure.net/keys/k",
        ] {
            #expect(throws: SettingError.self) { try Self.service(ScriptedTransport(Reply(200)), key: key) }
        }
        #expect(try AzureKeyService.scope(of: "https://v.vault.azure.cn/keys/k").scope == .keyVault)
        #expect(try AzureKeyService.scope(of: "https://v.managedhsm.azure.net/keys/k").scope == .managedHSM)
    }

    @Test func refusals() async throws {
        let wrapped = Array(#"{"alg":"A256KW","value":"AAAA","version":"v1"}"#.utf8)
        func failure(_ reply: Reply) async throws -> StoreError {
            let service = try Self.service(ScriptedTransport(reply))
            return try #require(
                await Self.failure { () throws(StoreError) in
                    try await service.decrypt(wrapped, parameters: service.parameters)
                })
        }
        func body(_ code: String) -> String { #"{"error":{"code":"\#(code)","message":"words of the service"}}"# }
        var error = try await failure(Reply(400, body: body("BadParameter")))
        #expect(error.code == .damaged && error.serviceCode == "BadParameter")
        error = try await failure(Reply(403, body: body("Forbidden")))
        #expect(error.code == .forbidden && error.message.contains("words of the service"))
        error = try await failure(Reply(404, body: body("KeyNotFound")))
        #expect(error.code == .notFound)
        error = try await failure(Reply(429, ["retry-after": "3"], body: body("Throttled")))
        #expect(error.code == .throttled && error.retry == .after(.seconds(3)))
        error = try await failure(Reply(503))
        #expect(error.code == .unavailable && error.retry == .transient)
        error = try await failure(
            Reply(
                401,
                [
                    "www-authenticate":
                        #"Bearer authorization="https://login.windows.net/tenant-1", resource="https://vault.azure.net""#
                ]
            ))
        #expect(error.code == .unauthenticated && error.message.contains("tenant tenant-1"))
        #expect(!"\(error)".contains("canary"))
    }
}
