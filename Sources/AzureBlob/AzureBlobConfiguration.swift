import Azure
package import Cryptography
package import HTTPStores

/// Where the blobs of one storage account are and which version of the protocol is spoken; no credentials.
package struct AzureBlobConfiguration: Sendable, Hashable {
    /// The account's root: containers follow its path.
    package var endpoint: Endpoint
    /// The value of `x-ms-version`.
    package var serviceVersion: String
    /// The encryption scope of what is written; nil leaves it to the container's default.
    package var encryptionScope: String?

    /// Everything that the store uses is in this version, and emulators know it.
    package static let pinnedVersion = "2023-11-03"

    /// - Parameter endpoint: nil means Azure's public cloud. The account is appended to the path of an endpoint whose
    ///   host cannot carry it (an address, `localhost`, a name without dots) unless it is there already.
    package init(
        account: String, endpoint: Endpoint? = nil, serviceVersion: String = pinnedVersion,
        encryptionScope: String? = nil
    ) {
        var root = endpoint ?? Endpoint(host: "\(account).blob.core.windows.net")
        if AzureHost.isPathStyle(root), root.path.split(separator: "/").last.map(String.init) != account {
            root.path += "/\(account)"
        }
        self.endpoint = root
        self.serviceVersion = serviceVersion
        self.encryptionScope = encryptionScope
    }

    /// Whether the server is Azure's own, whose documented behaviour is relied on.
    package var isAzure: Bool { AzureHost.isAzure(endpoint.host) }

    /// Settles where an account is.
    ///
    /// The account is the one of the location (`az://ACCOUNT/…`). Its endpoint is the argument, else the connection string's, else
    /// `https://ACCOUNT.blob.core.windows.net`. Settings that name another account are errors, not ignored.
    ///
    /// - Parameters:
    ///   - connectionString: nil is `AZURE_STORAGE_CONNECTION_STRING`.
    ///   - profile: tells two accounts of one run apart: with profile `backup` the variable is
    ///     `AZURE_STORAGE_CONNECTION_STRING_BACKUP`, and only this.
    package static func resolve(
        account: String, endpoint: String? = nil, connectionString: Secret? = nil, profile: String? = nil,
        environment: [String: String]
    ) throws(SettingError) -> AzureBlobConfiguration {
        let variable = try AzureVariables(environment, profile: profile)["AZURE_STORAGE_CONNECTION_STRING"]
        var found: Endpoint?
        if let (name, text) = connectionString.map({ ("the string", $0.revealed()) }) ?? variable {
            do throws(SettingError) {
                let connection = try AzureConnectionString(text, origin: name)
                try connection.check(account, origin: name)
                found = connection.endpoint
            } catch {
                throw error.about(connectionString == nil ? nil : "connection_string")
            }
        }
        if let endpoint {
            guard let parsed = Endpoint(endpoint) else {
                throw SettingError("endpoint", message: "it \(Endpoint.advice)")
            }
            if AzureHost.isAzure(parsed.host), let other = AzureHost.account(in: parsed), other != account {
                throw SettingError.mismatch("the endpoint \(parsed)", other, account).about("endpoint")
            }
            found = parsed
        }
        guard isAccountName(account, strict: found == nil) else {
            throw SettingError(
                "location",
                message: "that is no name of a storage account: 3 to 24 lower-case letters and digits")
        }
        return AzureBlobConfiguration(account: account, endpoint: found)
    }

    /// The name becomes part of a host name or path. Emulators take names that Azure does not.
    private static func isAccountName(_ name: String, strict: Bool) -> Bool {
        (strict ? 3...24 : 1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"): !strict
                default: false
                }
            }
    }
}
