import Cryptography
import FoundationEssentials
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// The keys of service accounts, and what is said when they cannot be used.
@Suite struct GoogleServiceAccountTests {
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
                "private_key": try GoogleSignerTests.key.get().pem(), "token_uri": tokenURI,
            ]), path: "/keys/robot.json")
    }

    @Test func otherTypesOfCredentialsAreNamed() async throws {
        let bytes = try file(["type": "gdch_service_account", "private_key": "very-secret"])
        let error = await failure { () throws(StoreError) in
            try GoogleServiceAccount(json: bytes, path: "/keys/x.json")
        }
        let text = try #require(error).description
        #expect(text.contains("gdch_service_account") && text.contains("/keys/x.json") && !text.contains("very-secret"))
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
    }

    @Test func aTokenIsExchangedForAnAssertion() async throws {
        let transport = ScriptedTransport(
            .init(200, body: #"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#))
        let provider = ExchangedGoogleToken(try account(), scope: .objects, transport: transport, now: { 1000 })
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
        let token = try await ExchangedGoogleToken(try account(), scope: .objects, transport: transport, now: { 1000 })
            .load()
        #expect(token.expiration == 87_400)
    }

    @Test func aRefusedKeyAndABusyTokenServiceDiffer() async throws {
        let refused = ScriptedTransport(
            .init(400, body: #"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#))
        let error = await failure { [account = try account()] () throws(StoreError) in
            try await ExchangedGoogleToken(account, scope: .objects, transport: refused, now: { 0 }).load()
        }
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(error?.message.contains("Invalid JWT Signature.") == true)
        let busy = ScriptedTransport(.init(503))
        let later = await failure { [account = try account()] () throws(StoreError) in
            try await ExchangedGoogleToken(account, scope: .objects, transport: busy, now: { 0 }).load()
        }
        #expect(later?.retry == .transient)
    }
}
