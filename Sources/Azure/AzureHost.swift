package import HTTPStores

/// What the host of an endpoint tells about whose server it is and which account it belongs to.
package enum AzureHost {
    /// Hosts of the public cloud, of the sovereign ones, and of accounts in DNS zones.
    private static let domains = [
        ".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn",
        ".blob.core.cloudapi.de",
        ".blob.storage.azure.net",
    ]

    package static func isAzure(_ host: String) -> Bool { domains.contains { host.hasSuffix($0) } }

    /// Whether the account stands in the path because the host cannot carry it: an address, `localhost`, a name without dots.
    package static func isPathStyle(_ endpoint: Endpoint) -> Bool {
        let host = endpoint.host
        return endpoint.isLoopback || host.hasPrefix("[") || !host.contains(".")
            || host.allSatisfy { $0 == "." || ("0"..."9").contains($0) }
    }

    /// The account that an endpoint belongs to, where its host or its path tells.
    package static func account(in endpoint: Endpoint) -> String? {
        if isAzure(endpoint.host) {
            // Reads of the secondary region name it behind the account.
            let label = endpoint.host.prefix { $0 != "." }
            return String(label.hasSuffix("-secondary") ? label.dropLast("-secondary".count) : label)
        }
        return isPathStyle(endpoint) ? endpoint.path.split(separator: "/").last.map(String.init) : nil
    }
}
