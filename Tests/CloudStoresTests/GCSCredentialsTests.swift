import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Which endpoints get credentials.
@Suite struct GCSCredentialsTests {
    private func failure<T>(_ body: () async throws(SettingError) -> T) async -> SettingError? {
        do throws(SettingError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
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
        #expect(throws: SettingError.self) {
            try GCSConfiguration.resolve(endpoint: "nonsense", environment: [:])
        }
    }

    @Test func anonymousOnlyWhereNobodyExpectsCredentials() async throws {
        let transport = ScriptedTransport(.init(500))
        func shared(_ endpoint: String, _ environment: [String: String]) throws(SettingError) -> SharedCredentials<
            GoogleToken
        >? {
            try GCSConfiguration(endpoint: Endpoint(endpoint)!).credentials(
                environment: environment, transport: transport, now: { 0 })
        }
        #expect(try shared("http://127.0.0.1:1", [:]) == nil)
        // What is merely found is for Google; what is named is for the endpoint that is used with it.
        #expect(try shared("https://storage.googleapis.com", [:]) != nil)
        #expect(try shared("http://127.0.0.1:1", ["CLOUDSDK_CONFIG": "/config"]) == nil)
        for name in ["GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "GCE_METADATA_IP"] {
            #expect(try shared("http://127.0.0.1:1", [name: "x"]) != nil)
        }
        let google = try GCSConfiguration.resolve(environment: [:])
        #expect(
            try google.credentials(
                GoogleIdentity(isAnonymous: true), environment: [:], transport: transport, now: { 0 }) == nil)
        let plain = await failure { () throws(SettingError) in
            try shared("http://example.org", ["GOOGLE_APPLICATION_CREDENTIALS": "/k.json"])
        }
        #expect(plain?.message.contains("https") == true)
    }
}
