/// One of Microsoft's clouds, which know nothing of each other: where its identities sign in and what its services are called.
package enum AzureCloud: Sendable, Hashable, CaseIterable {
    case worldwide, government, china

    /// Where tokens come from unless `AZURE_AUTHORITY_HOST` says otherwise.
    package var authorityHost: String {
        switch self {
        case .worldwide: "login.microsoftonline.com"
        case .government: "login.microsoftonline.us"
        case .china: "login.chinacloudapi.cn"
        }
    }

    /// What the names of storage accounts stand before.
    private var storageDomain: String {
        switch self {
        case .worldwide: "core.windows.net"
        case .government: "core.usgovcloudapi.net"
        case .china: "core.chinacloudapi.cn"
        }
    }

    /// What the names of vaults stand before, and behind `https://` the audience of their tokens.
    package var vaultDomain: String {
        switch self {
        case .worldwide: "vault.azure.net"
        case .government: "vault.usgovcloudapi.net"
        case .china: "vault.azure.cn"
        }
    }

    package var managedHSMDomain: String {
        switch self {
        case .worldwide: "managedhsm.azure.net"
        case .government: "managedhsm.usgovcloudapi.net"
        case .china: "managedhsm.azure.cn"
        }
    }

    /// The cloud that a service's host is in; nil for a host that is none of Microsoft's.
    package init?(host: String) {
        let own = Self.allCases.first { cloud in
            [".\(cloud.storageDomain)", ".\(cloud.vaultDomain)", ".\(cloud.managedHSMDomain)"].contains {
                host.hasSuffix($0)
            }
        }
        // Accounts in DNS zones.
        guard let cloud = own ?? (host.hasSuffix(".storage.azure.net") ? .worldwide : nil) else { return nil }
        self = cloud
    }
}

/// What a token is good for.
package enum AzureScope: Sendable, Hashable {
    /// Blobs and queues.
    case storage
    case keyVault
    case managedHSM

    /// The service that the token names as its audience. Storage has one name in all clouds.
    package func resource(in cloud: AzureCloud) -> String {
        switch self {
        case .storage: "https://storage.azure.com"
        case .keyVault: "https://\(cloud.vaultDomain)"
        case .managedHSM: "https://\(cloud.managedHSMDomain)"
        }
    }
}
