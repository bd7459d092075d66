import Azure
import AzureBlob
import Cryptography
import HTTPStores
import Testing

@Suite struct AzureBlobConfigurationTests {
    static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    func resolve(
        _ account: String = "acct", endpoint: String? = nil, connection: String? = nil, profile: String? = nil,
        _ environment: [String: String] = [:]
    ) throws(SettingError) -> String {
        try AzureBlobConfiguration.resolve(
            account: account, endpoint: endpoint, connectionString: connection.map { Secret($0) }, profile: profile,
            environment: environment
        ).endpoint.description
    }

    func connection(_ text: String, account: String = "acct") throws(SettingError) -> String {
        try resolve(account, ["AZURE_STORAGE_CONNECTION_STRING": text])
    }

    func message(_ body: () throws(SettingError) -> Void) -> String {
        do throws(SettingError) {
            try body()
            return ""
        } catch {
            return error.message
        }
    }

    @Test func withoutSettingsThePublicCloud() throws {
        #expect(try resolve() == "https://acct.blob.core.windows.net")
    }

    @Test func connectionStrings() throws {
        #expect(
            try connection(
                "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=\(Self.key);EndpointSuffix=core.windows.net"
            )
                == "https://acct.blob.core.windows.net")
        #expect(
            try connection(" accountname = acct ; ACCOUNTKEY=\(Self.key);EndpointSuffix=core.chinacloudapi.cn;")
                == "https://acct.blob.core.chinacloudapi.cn")
        #expect(
            try connection(
                "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=sv=2023-11-03&sig=x%3D")
                == "https://acct.blob.core.windows.net")
        #expect(
            try connection("BlobEndpoint=http://127.0.0.1:10000/acct;AccountName=acct;AccountKey=\(Self.key)")
                == "http://127.0.0.1:10000/acct")
        #expect(
            try connection("BlobEndpoint=http://azurite:10000;AccountName=acct;AccountKey=\(Self.key)")
                == "http://azurite:10000/acct")
        #expect(
            try connection("UseDevelopmentStorage=true", account: "devstoreaccount1")
                == "http://127.0.0.1:10000/devstoreaccount1")
        #expect(
            try connection(
                "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://proxy.example",
                account: "devstoreaccount1") == "http://proxy.example:10000/devstoreaccount1")
    }

    @Test func theConnectionStringOfAConfigurationCounts() throws {
        let variable = ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;EndpointSuffix=one.example"]
        #expect(
            try resolve(connection: "AccountName=acct;EndpointSuffix=two.example", variable)
                == "https://acct.blob.two.example")
    }

    @Test func settingsOfAnotherAccountAreErrorsThatNameBoth() {
        let texts = [
            message { () throws(SettingError) in
                _ = try connection("AccountName=other;AccountKey=\(Self.key)")
            },
            message { () throws(SettingError) in
                _ = try connection("BlobEndpoint=https://other.blob.core.windows.net;SharedAccessSignature=sig=1")
            },
            message { () throws(SettingError) in
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
            message { () throws(SettingError) in _ = try connection(secret) },
            message { () throws(SettingError) in _ = try connection("AccountKey=\(secret)") },
            message { () throws(SettingError) in _ = try connection("BlobEndpoint=ftp://\(secret)") },
        ]
        for text in texts { #expect(!text.isEmpty && !text.contains(secret), "\(text)") }
        #expect(
            message { () throws(SettingError) in _ = try resolve("Not_An_Account") }.contains(
                "3 to 24"))
        #expect(message { () throws(SettingError) in _ = try resolve("evil.example/x") }.contains("no name"))
        #expect(
            message { () throws(SettingError) in _ = try resolve(endpoint: "nonsense") }.contains(
                "not a URL"))
    }

    @Test func theEndpointOfTheArgumentCounts() throws {
        let environment = ["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(Self.key)"]
        #expect(try resolve(endpoint: "http://127.0.0.1:1234", environment) == "http://127.0.0.1:1234/acct")
        #expect(try resolve(endpoint: "http://127.0.0.1:1234/acct/") == "http://127.0.0.1:1234/acct")
        #expect(try resolve(endpoint: "http://localhost:1234") == "http://localhost:1234/acct")
        #expect(try resolve(endpoint: "http://[::1]:1234") == "http://[::1]:1234/acct")
        #expect(try resolve(endpoint: "https://data.example.com") == "https://data.example.com")
        #expect(try resolve(endpoint: "https://acct-secondary.blob.core.windows.net").contains("secondary"))
    }

    @Test func profilesTellTwoAccountsApart() throws {
        let environment = [
            "AZURE_STORAGE_CONNECTION_STRING": "AccountName=acct;AccountKey=\(Self.key)",
            "AZURE_STORAGE_SAS_TOKEN_THE_BACKUP": "sig=1",
        ]
        #expect(try resolve("other", profile: "the-backup", environment) == "https://other.blob.core.windows.net")
    }
}
