import Azure
import AzureBlob
import Cryptography
import Digests
import HTTPStores
import Testing

@Suite struct AzureBlobConfigurationTests {
    static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    func resolve(
        _ account: String = "acct", endpoint: String? = nil, profile: String? = nil,
        _ environment: [String: String] = [:]
    ) throws(AzureConfigurationError) -> (endpoint: String, credentials: AzureCredentials) {
        let (configuration, credentials) = try AzureBlobConfiguration.resolve(
            account: account, endpoint: endpoint, profile: profile, environment: environment)
        return (configuration.endpoint.description, credentials)
    }

    func connection(_ text: String, account: String = "acct") throws(AzureConfigurationError) -> (
        endpoint: String, credentials: AzureCredentials
    ) {
        try resolve(account, ["AZURE_STORAGE_CONNECTION_STRING": text])
    }

    func message(_ body: () throws(AzureConfigurationError) -> Void) -> String {
        do throws(AzureConfigurationError) {
            try body()
            return ""
        } catch {
            return error.message
        }
    }

    func sharedKey(_ account: String = "acct", _ key: String = Self.key) -> AzureCredentials {
        .sharedKey(account: account, key: Secret(Base64.decode(key)!))
    }

    @Test func withoutSettingsThePublicCloudAnonymously() throws {
        let (endpoint, credentials) = try resolve()
        #expect(endpoint == "https://acct.blob.core.windows.net")
        #expect(credentials == .anonymous)
    }

    @Test func keyAndSignatureFromTheEnvironment() throws {
        #expect(try resolve(["AZURE_STORAGE_KEY": Self.key]).credentials == sharedKey())
        #expect(
            try resolve(["AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": Self.key]).credentials == sharedKey())
        #expect(try resolve(["AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=a%3D"]).credentials == .sas(Secret("sv=1&sig=a%3D")))
    }

    func resolve(_ environment: [String: String]) throws(AzureConfigurationError) -> (
        endpoint: String, credentials: AzureCredentials
    ) {
        try resolve("acct", environment)
    }

    @Test func connectionStrings() throws {
        var found = try connection(
            "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=\(Self.key);EndpointSuffix=core.windows.net")
        #expect(found.endpoint == "https://acct.blob.core.windows.net")
        #expect(found.credentials == sharedKey())
        found = try connection(" accountname = acct ; ACCOUNTKEY=\(Self.key);EndpointSuffix=core.chinacloudapi.cn;")
        #expect(found.endpoint == "https://acct.blob.core.chinacloudapi.cn")
        found = try connection(
            "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=sv=2023-11-03&sig=x%3D")
        #expect(found.endpoint == "https://acct.blob.core.windows.net")
        #expect(found.credentials == .sas(Secret("sv=2023-11-03&sig=x%3D")))
        found = try connection("BlobEndpoint=http://127.0.0.1:10000/acct;AccountName=acct;AccountKey=\(Self.key)")
        #expect(found.endpoint == "http://127.0.0.1:10000/acct")
        found = try connection("BlobEndpoint=http://azurite:10000;AccountName=acct;AccountKey=\(Self.key)")
        #expect(found.endpoint == "http://azurite:10000/acct")
        found = try connection("UseDevelopmentStorage=true", account: "devstoreaccount1")
        #expect(found.endpoint == "http://127.0.0.1:10000/devstoreaccount1")
        #expect(
            found.credentials
                == sharedKey(
                    "devstoreaccount1",
                    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="))
        found = try connection(
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://proxy.example", account: "devstoreaccount1")
        #expect(found.endpoint == "http://proxy.example:10000/devstoreaccount1")
    }

    @Test func signaturesDoNotTravelUnencrypted() throws {
        let environment = ["AZURE_STORAGE_SAS_TOKEN": "sig=secret"]
        let text = message { () throws(AzureConfigurationError) in
            _ = try resolve(endpoint: "http://azurite:10000", environment)
        }
        #expect(text.contains("http://azurite:10000/acct") && !text.contains("secret"))
        #expect(try resolve(endpoint: "https://azurite:10000", environment).credentials == .sas(Secret("sig=secret")))
        #expect(try resolve(endpoint: "http://127.0.0.1:10000", environment).credentials == .sas(Secret("sig=secret")))
    }

    @Test func settingsOfAnotherAccountAreErrorsThatNameBoth() {
        let texts = [
            message { () throws(AzureConfigurationError) in
                _ = try connection("AccountName=other;AccountKey=\(Self.key)")
            },
            message { () throws(AzureConfigurationError) in
                _ = try connection("BlobEndpoint=https://other.blob.core.windows.net;SharedAccessSignature=sig=1")
            },
            message { () throws(AzureConfigurationError) in
                _ = try resolve(["AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_KEY": Self.key])
            },
            message { () throws(AzureConfigurationError) in
                _ = try resolve(endpoint: "https://other.blob.core.windows.net")
            },
        ]
        for text in texts {
            #expect(text.contains("account other") && text.contains("account acct"), "\(text)")
        }
    }

    @Test func brokenSettingsAreErrorsWithoutTheirValue() {
        let secret = "c2VjcmV0-not-base64"
        let texts = [
            message { () throws(AzureConfigurationError) in _ = try connection("AccountName=acct;AccountKey=\(secret)")
            },
            message { () throws(AzureConfigurationError) in _ = try connection(secret) },
            message { () throws(AzureConfigurationError) in _ = try connection("AccountKey=\(secret)") },
            message { () throws(AzureConfigurationError) in _ = try connection("BlobEndpoint=ftp://\(secret)") },
            message { () throws(AzureConfigurationError) in _ = try resolve(["AZURE_STORAGE_KEY": secret]) },
            message { () throws(AzureConfigurationError) in _ = try resolve(["AZURE_STORAGE_SAS_TOKEN": secret]) },
        ]
        for text in texts { #expect(!text.isEmpty && !text.contains(secret), "\(text)") }
        #expect(
            message { () throws(AzureConfigurationError) in _ = try resolve("Not_An_Account") }.contains(
                "Not_An_Account"))
        #expect(message { () throws(AzureConfigurationError) in _ = try resolve("evil.example/x") }.contains("no name"))
        #expect(
            message { () throws(AzureConfigurationError) in _ = try resolve(endpoint: "nonsense") }.contains(
                "not a URL"))
    }

    @Test func theEndpointOfTheArgumentCounts() throws {
        let environment = ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(Self.key)"]
        var found = try resolve(endpoint: "http://127.0.0.1:1234", environment)
        #expect(found.endpoint == "http://127.0.0.1:1234/acct")
        #expect(found.credentials == sharedKey())
        #expect(try resolve(endpoint: "http://127.0.0.1:1234/acct/").endpoint == "http://127.0.0.1:1234/acct")
        #expect(try resolve(endpoint: "http://localhost:1234").endpoint == "http://localhost:1234/acct")
        #expect(try resolve(endpoint: "http://[::1]:1234").endpoint == "http://[::1]:1234/acct")
        found = try resolve(endpoint: "https://data.example.com")
        #expect(found.endpoint == "https://data.example.com")
        #expect(try resolve(endpoint: "https://acct-secondary.blob.core.windows.net").endpoint.contains("secondary"))
    }

    @Test func profilesTellTwoAccountsApart() throws {
        let environment = [
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(Self.key)",
            "AZURE_STORAGE_SAS_TOKEN_THE_BACKUP": "sig=1",
        ]
        let found = try resolve("other", profile: "the-backup", environment)
        #expect(found.endpoint == "https://other.blob.core.windows.net")
        #expect(found.credentials == .sas(Secret("sig=1")))
        let text = message { () throws(AzureConfigurationError) in _ = try resolve(profile: "none", environment) }
        #expect(text.contains("AZURE_STORAGE_KEY_NONE"))
    }
}
