import Cryptography
package import HTTPStores

/// A storage account's connection string: `Name=value` pairs between semicolons.
package struct AzureConnectionString {
    /// As far as the string tells: by name, or through an endpoint that carries it.
    package var account: String?
    package var endpoint: Endpoint?
    package var credentials: AzureCredentials?

    /// The emulator's account and key, which everybody knows.
    static let developmentAccount = "devstoreaccount1"
    private static let developmentKey =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    /// - Parameter origin: the variable that holds it, for messages. Its value is a secret and never quoted.
    package init(_ text: String, origin: String) throws(SettingError) {
        var fields: [String: String] = [:]
        for pair in text.split(separator: ";") where !pair.allSatisfy(\.isWhitespace) {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2 else {
                throw SettingError(
                    message: "\(origin) is no connection string: a part of it between semicolons is not Name=value")
            }
            fields[halves[0].trimmed.lowercased()] = halves[1].trimmed
        }
        if fields["usedevelopmentstorage"]?.lowercased() == "true" {
            try self.init(development: fields["developmentstorageproxyuri"], origin: origin)
        } else {
            try self.init(fields: fields, origin: origin)
        }
    }

    private init(development proxy: String?, origin: String) throws(SettingError) {
        guard var endpoint = Endpoint(proxy ?? "http://127.0.0.1") else {
            throw SettingError(
                message: "DevelopmentStorageProxyUri in \(origin) is not a URL such as http://host")
        }
        endpoint.port = endpoint.port ?? 10000
        endpoint.path = "/\(Self.developmentAccount)"
        self.endpoint = endpoint
        account = Self.developmentAccount
        credentials = try .sharedKey(
            account: Self.developmentAccount, key: SettingError.key(Self.developmentKey, origin: origin))
    }

    private init(fields: [String: String], origin: String) throws(SettingError) {
        let name = fields["accountname"].flatMap { $0.isEmpty ? nil : $0 }
        if let text = fields["blobendpoint"], !text.isEmpty {
            guard let parsed = Endpoint(text) else {
                throw SettingError(
                    message: "BlobEndpoint in \(origin) is not a URL: write https://host, without user and query")
            }
            endpoint = parsed
        } else if let name {
            let suffix = fields["endpointsuffix"].flatMap { $0.isEmpty ? nil : $0 } ?? "core.windows.net"
            let scheme = fields["defaultendpointsprotocol"].flatMap { $0.isEmpty ? nil : $0 } ?? "https"
            guard let parsed = Endpoint("\(scheme)://\(name).blob.\(suffix)"), parsed.path.isEmpty else {
                throw SettingError(
                    message:
                        "DefaultEndpointsProtocol, AccountName or EndpointSuffix in \(origin) cannot be part of a URL")
            }
            endpoint = parsed
        } else {
            throw SettingError(message: "\(origin) names neither AccountName nor BlobEndpoint")
        }
        account = name ?? endpoint.flatMap(AzureHost.account(in:))
        if let text = fields["accountkey"], !text.isEmpty {
            guard let account else {
                throw SettingError(message: "\(origin) has an AccountKey and no AccountName")
            }
            credentials = .sharedKey(
                account: account, key: try SettingError.key(text, origin: "AccountKey in \(origin)"))
        } else if let text = fields["sharedaccesssignature"], !text.isEmpty {
            credentials = .sas(try SettingError.sas(text, origin: "SharedAccessSignature in \(origin)"))
        }
    }

    /// The account that a text is for, if it is a connection string and says so.
    package static func account(in text: String) -> String? {
        do throws(SettingError) { return try AzureConnectionString(text, origin: "").account } catch { return nil }
    }

    /// Throws when the string is another account's.
    package func check(_ account: String, origin: String) throws(SettingError) {
        if let other = self.account, other != account {
            throw SettingError.mismatch(origin, other, account)
        }
    }
}
