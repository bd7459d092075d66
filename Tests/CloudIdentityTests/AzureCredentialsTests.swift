import Azure
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Which credentials an identity and an environment come to, without any request.
@Suite struct AzureCredentialsTests {
    static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    static let emulator = Endpoint("http://127.0.0.1:10000/acct")!

    /// Fails on every request.
    static let silent = ScriptedTransport { _, _ throws(HTTPFailure) in
        throw HTTPFailure(code: .connect, message: "nothing is sent here", mayHaveBeenProcessed: false)
    }

    func shared(
        as identity: AzureIdentity = AzureIdentity(), account: String = "acct", scope: AzureScope = .storage,
        endpoint: Endpoint? = emulator, profile: String? = nil, _ environment: [String: String]
    ) throws(SettingError) -> SharedCredentials<AzureCredentials>? {
        try AzureCredentials.shared(
            identity, account: account, scope: scope, endpoint: endpoint, profile: profile, environment: environment,
            transport: Self.silent, now: { 1000 })
    }

    func credentials(
        as identity: AzureIdentity = AzureIdentity(), account: String = "acct", profile: String? = nil,
        _ environment: [String: String]
    ) async throws -> AzureCredentials? {
        try await shared(as: identity, account: account, profile: profile, environment)?.current()
    }

    func message(as identity: AzureIdentity = AzureIdentity(), profile: String? = nil, _ environment: [String: String])
        -> String
    {
        do throws(SettingError) {
            _ = try shared(as: identity, profile: profile, environment)
            return ""
        } catch {
            return error.message
        }
    }

    func sharedKey(_ account: String = "acct") -> AzureCredentials {
        .sharedKey(account: account, key: Secret(Base64.decode(Self.key)!))
    }

    @Test func keysAndSignaturesFromTheEnvironment() async throws {
        #expect(try await credentials(["AZURE_STORAGE_KEY": Self.key]) == sharedKey())
        #expect(
            try await credentials(["AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": Self.key]) == sharedKey())
        #expect(
            try await credentials(["AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=a%3D"]) == .sas(Secret("sv=1&sig=a%3D")))
        let connection = "AccountName=acct;AccountKey=\(Self.key)"
        #expect(
            try await credentials(["AZURE_STORAGE_CONNECTION_STRING": connection, "AZURE_STORAGE_SAS_TOKEN": "sig=1"])
                == sharedKey())
    }

    @Test func connectionStrings() async throws {
        for text in [
            "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=\(Self.key);EndpointSuffix=core.windows.net",
            " accountname = acct ; ACCOUNTKEY=\(Self.key);EndpointSuffix=core.chinacloudapi.cn;",
        ] {
            #expect(try await credentials(["AZURE_STORAGE_CONNECTION_STRING": text]) == sharedKey())
        }
        let signed = "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=sv=2023-11-03&sig=x%3D"
        #expect(
            try await credentials(["AZURE_STORAGE_CONNECTION_STRING": signed])
                == .sas(Secret("sv=2023-11-03&sig=x%3D")))
        let development = try await credentials(
            account: "devstoreaccount1", ["AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"])
        #expect(
            development
                == .sharedKey(
                    account: "devstoreaccount1",
                    key: Secret(
                        Base64.decode(
                            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
                        )!)))
    }

    @Test func whatTheIdentitySaysCountsBeforeTheEnvironment() async throws {
        let environment = ["AZURE_STORAGE_KEY": Self.key]
        #expect(
            try await credentials(as: AzureIdentity(sasToken: Secret("sig=2")), environment) == .sas(Secret("sig=2")))
        #expect(try await credentials(as: AzureIdentity(accountKey: Secret(Self.key)), [:]) == sharedKey())
        let connection = AzureIdentity(connectionString: Secret("AccountName=acct;SharedAccessSignature=sig=3"))
        #expect(try await credentials(as: connection, environment) == .sas(Secret("sig=3")))
        #expect(try shared(as: AzureIdentity(isAnonymous: true), environment) == nil)
        // The key in the environment is not for somebody who names an application.
        let error = await #expect(throws: StoreError.self) {
            try await shared(as: AzureIdentity(tenantID: "t", clientID: "c", clientSecret: Secret("s")), environment)?
                .current()
        }
        #expect(error?.code == .unreachable)
    }

    @Test func nothingSetUp() async throws {
        #expect(try shared([:]) == nil)
        let found = try await shared(endpoint: nil, [:])?.current()
        guard case .noneFound(let tried) = found else {
            Issue.record("not .noneFound: \(String(describing: found))")
            return
        }
        #expect(tried.contains("169.254.169.254") && tried.contains("did not answer"))
    }

    @Test func settingsThatContradict() {
        #expect(
            message(as: AzureIdentity(accountKey: Secret("k"), sasToken: Secret("s")), [:])
                == "account_key and sas_token are alternatives: keep one of them")
        for texts in [
            message(["AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=\(Self.key)"]),
            message(["AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_KEY": Self.key]),
            message(as: AzureIdentity(connectionString: Secret("AccountName=other;AccountKey=\(Self.key)")), [:]),
        ] { #expect(texts.contains("account other") && texts.contains("account acct"), "\(texts)") }
    }

    @Test func brokenSettingsAreErrorsWithoutTheirValue() {
        let secret = "c2VjcmV0-not-base64"
        let texts = [
            message(["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(secret)"]),
            message(["AZURE_STORAGE_CONNECTION_STRING": secret]),
            message(["AZURE_STORAGE_KEY": secret]), message(["AZURE_STORAGE_SAS_TOKEN": secret]),
            message(as: AzureIdentity(accountKey: Secret(secret)), [:]),
            message(as: AzureIdentity(connectionString: Secret("AccountName=acct")), ["X": secret]),
            message(["AZURE_CLIENT_SECRET": secret]), message(["AZURE_CLIENT_SECRET": secret, "AZURE_TENANT_ID": "t"]),
            message(["AZURE_CLIENT_SECRET": secret, "AZURE_TENANT_ID": "../t", "AZURE_CLIENT_ID": "c"]),
            message([
                "AZURE_CLIENT_SECRET": secret, "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c",
                "AZURE_AUTHORITY_HOST": "http://login.example",
            ]),
            message(["IDENTITY_ENDPOINT": "https://evil.example/token", "IDENTITY_HEADER": secret]),
            message(["IDENTITY_ENDPOINT": "http://127.0.0.1:1/token"]),
            message([
                "IDENTITY_ENDPOINT": "http://127.0.0.1:1/token", "IDENTITY_HEADER": secret,
                "IDENTITY_SERVER_THUMBPRINT": "ab",
            ]),
            message([
                "IDENTITY_ENDPOINT": "http://127.0.0.1:1/token", "IMDS_ENDPOINT": "http://127.0.0.1:1",
                "AZURE_CLIENT_ID": "c",
            ]),
        ]
        for text in texts { #expect(!text.isEmpty && !text.contains(secret), "\(text)") }
        #expect(texts[6].contains("AZURE_TENANT_ID") && texts[7].contains("AZURE_CLIENT_ID"))
        #expect(texts[9].contains("AZURE_AUTHORITY_HOST"))
    }

    @Test func profilesTellTwoAccountsApart() async throws {
        let environment = [
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(Self.key)",
            "AZURE_STORAGE_SAS_TOKEN_THE_BACKUP": "sig=1",
        ]
        #expect(
            try await credentials(account: "other", profile: "the-backup", environment) == .sas(Secret("sig=1")))
        #expect(message(profile: "none", environment).contains("AZURE_STORAGE_KEY_NONE"))
        let text = message(profile: "b", ["AZURE_CLIENT_SECRET_B": "s", "AZURE_TENANT_ID_B": "t"])
        #expect(text.contains("AZURE_CLIENT_ID_B"), "\(text)")
    }

    @Test func cloudsOfHosts() {
        #expect(AzureCloud(host: "acct.blob.core.windows.net") == .worldwide)
        #expect(AzureCloud(host: "acct.z3.blob.storage.azure.net") == .worldwide)
        #expect(AzureCloud(host: "acct.queue.core.usgovcloudapi.net") == .government)
        #expect(AzureCloud(host: "v.vault.azure.cn") == .china)
        #expect(AzureCloud(host: "v.managedhsm.usgovcloudapi.net") == .government)
        #expect(AzureCloud(host: "core.windows.net.evil.example") == nil)
        #expect(AzureCloud(host: "evilcore.windows.net") == nil)
        #expect(AzureScope.keyVault.resource(in: .china) == "https://vault.azure.cn")
        #expect(AzureScope.storage.resource(in: .china) == "https://storage.azure.com")
    }
}
