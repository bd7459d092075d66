import Cryptography
package import HTTPStores

/// The variables of one profile: all names with `_PROFILE` behind, or without a profile as they are.
package struct AzureVariables {
    private let environment: [String: String]
    private let suffix: String

    private static let names = [
        "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
    ]

    package init(_ environment: [String: String], profile: String?) throws(SettingError) {
        self.environment = environment
        guard let profile else {
            suffix = ""
            return
        }
        let name = profile.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        suffix = "_" + String(name)
        if !Self.names.contains(where: { self[$0] != nil }) {
            throw SettingError(
                "profile",
                message:
                    "profile \(profile) is not set up: set AZURE_STORAGE_CONNECTION_STRING\(suffix), AZURE_STORAGE_KEY\(suffix), "
                    + "AZURE_STORAGE_SAS_TOKEN\(suffix), or AZURE_CLIENT_ID\(suffix) and what proves it",
                dependsOnMachine: true)
        }
    }

    /// The variable's full name and its value, nil when it is not set or empty.
    package subscript(_ name: String) -> (name: String, value: String)? {
        environment[name + suffix].flatMap { $0.isEmpty ? nil : (name + suffix, $0) }
    }

    /// The full name of a variable, for messages about one that is not set.
    func name(_ name: String) -> String { name + suffix }

    /// The credentials of the account's own that are set: connection string, key, signature.
    func credentials(for account: String) throws(SettingError) -> AzureCredentials? {
        if let (name, text) = self["AZURE_STORAGE_CONNECTION_STRING"] {
            let connection = try AzureConnectionString(text, origin: name)
            try connection.check(account, origin: name)
            if let credentials = connection.credentials { return credentials }
        }
        let key = self["AZURE_STORAGE_KEY"]
        let sas = self["AZURE_STORAGE_SAS_TOKEN"]
        guard key != nil || sas != nil else { return nil }
        if let (name, other) = self["AZURE_STORAGE_ACCOUNT"], other != account {
            throw SettingError.mismatch(name, other, account)
        }
        if let key {
            return .sharedKey(account: account, key: try SettingError.key(key.value, origin: key.name))
        }
        return try sas.map { (name, value) throws(SettingError) in
            .sas(try SettingError.sas(value, origin: name))
        }
    }
}
