import Cryptography
import FoundationEssentials
import GCS
import HTTPStores
import HTTPTransport
import ObjectStores
import Testing

/// Where credentials come from, and what is said when they cannot be used.
@Suite struct GCSCredentialsTests {
    private func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    private func file(_ members: [String: String]) throws -> [UInt8] {
        Array(try JSONEncoder().encode(members))
    }

    private func account(_ tokenURI: String = "https://oauth2.googleapis.com/token") throws -> GoogleServiceAccount {
        try GoogleServiceAccount(
            json: try file([
                "type": "service_account", "client_email": "robot@p", "private_key_id": "id",
                "private_key": try GCSSignerTests.key.get().pem(), "token_uri": tokenURI,
            ]), path: "/keys/robot.json")
    }

    @Test func otherTypesOfCredentialsAreNamed() async throws {
        for type in ["authorized_user", "external_account"] {
            let bytes = try file(["type": type, "refresh_token": "very-secret"])
            let error = await failure { () throws(StoreError) in
                try GoogleServiceAccount(json: bytes, path: "/keys/x.json")
            }
            let text = try #require(error).description
            #expect(text.contains(type) && text.contains("/keys/x.json") && !text.contains("very-secret"))
        }
    }

    @Test func brokenFilesAreNamedAndNotQuoted() async throws {
        let broken = Array(#"{"type":"service_account","private_key":"very-secret"#.utf8)
        let lacking = try file(["type": "service_account", "private_key": "very-secret"])
        let badKey = try file(["type": "service_account", "client_email": "r@p", "private_key": "very-secret"])
        let unencrypted = try file([
            "type": "service_account", "client_email": "r@p", "private_key": "very-secret",
            "token_uri": "http://example.org/token",
        ])
        for bytes in [broken, lacking, badKey, unencrypted] {
            let error = await failure { () throws(StoreError) in
                try GoogleServiceAccount(json: bytes, path: "/keys/x.json")
            }
            let text = try #require(error).description
            #expect(text.contains("/keys/x.json") && !text.contains("very-secret"))
        }
        let absent = await failure { () throws(StoreError) in try GoogleServiceAccount(path: "/no/such/file.json") }
        #expect(try #require(absent).description.contains("/no/such/file.json"))
    }

    @Test func aTokenIsExchangedForAnAssertion() async throws {
        let transport = ScriptedTransport(
            .init(200, body: #"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#))
        let provider = ExchangedGoogleToken(try account(), transport: transport, now: { 1000 })
        let token = try await provider.load()
        #expect(token.value.value.revealed() == "ya29.x" && token.expiration == 4599)
        let request = transport.requests[0]
        #expect(request.url == "https://oauth2.googleapis.com/token" && request.method == .post)
        #expect(
            request.bodyText.hasPrefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"))
        #expect("\(token)".contains("ya29") == false)
    }

    @Test func aTokenThatIsSaidToLiveForEverIsRefreshedAfterADay() async throws {
        let transport = ScriptedTransport(
            .init(200, body: #"{"access_token":"ya29.x","expires_in":9223372036854775807}"#))
        let token = try await ExchangedGoogleToken(try account(), transport: transport, now: { 1000 }).load()
        #expect(token.expiration == 87_400)
    }

    @Test func aRefusedKeyAndABusyTokenServiceDiffer() async throws {
        let refused = ScriptedTransport(
            .init(400, body: #"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#))
        let error = await failure { [account = try account()] () throws(StoreError) in
            try await ExchangedGoogleToken(account, transport: refused, now: { 0 }).load()
        }
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(error?.message.contains("Invalid JWT Signature.") == true)
        let busy = ScriptedTransport(.init(503))
        let later = await failure { [account = try account()] () throws(StoreError) in
            try await ExchangedGoogleToken(account, transport: busy, now: { 0 }).load()
        }
        #expect(later?.retry == .transient)
    }

    @Test func theEnvironmentDecidesWhoIsAsked() throws {
        let plain = try GCSConfiguration.resolve(environment: [:])
        #expect(plain.endpoint.description == "https://storage.googleapis.com" && plain.isGoogle && !plain.isEmulator)
        for host in ["127.0.0.1:9023", "http://127.0.0.1:9023", "http://127.0.0.1:9023/"] {
            let emulator = try GCSConfiguration.resolve(environment: ["STORAGE_EMULATOR_HOST": host])
            #expect(
                emulator.endpoint.description == "http://127.0.0.1:9023" && emulator.isEmulator && !emulator.isGoogle)
        }
        let flag = try GCSConfiguration.resolve(
            endpoint: "https://other.example", environment: ["STORAGE_EMULATOR_HOST": "x:1"])
        #expect(flag.endpoint.host == "other.example" && !flag.isEmulator)
        #expect(throws: GCSConfigurationError.self) {
            try GCSConfiguration.resolve(endpoint: "nonsense", environment: [:])
        }
    }

    @Test func anonymousOnlyWhereNobodyExpectsCredentials() async throws {
        let transport = ScriptedTransport(.init(500))
        func shared(_ endpoint: String, _ environment: [String: String]) throws(StoreError) -> SharedCredentials<
            GoogleToken
        >? {
            try GoogleCredentials.shared(
                for: GCSConfiguration(endpoint: Endpoint(endpoint)!), environment: environment, transport: transport,
                now: { 0 })
        }
        #expect(try shared("http://127.0.0.1:1", [:]) == nil)
        let missing = await failure { () throws(StoreError) in try shared("https://storage.googleapis.com", [:]) }
        #expect(missing?.message.contains("GOOGLE_APPLICATION_CREDENTIALS") == true)
        let plain = await failure { () throws(StoreError) in
            try shared("http://example.org", ["GOOGLE_APPLICATION_CREDENTIALS": "/k.json"])
        }
        #expect(plain?.message.contains("https") == true)
    }
}
