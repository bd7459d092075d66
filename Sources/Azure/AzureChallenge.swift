import HTTPStores
package import HTTPTransport

/// What a service says about the tokens it takes, when it refuses one.
///
/// Storage: `Bearer authorization_uri=https://login.microsoftonline.com/TENANT/oauth2/authorize resource_id=…`.
/// Key Vault: `Bearer authorization="https://login.windows.net/TENANT", resource="…"`.
package struct AzureChallenge: Sendable, Equatable {
    /// The tenant that the service's account is in.
    package let tenant: String

    /// nil when the reply names no tenant.
    package init?(_ headers: HTTPHeaders) {
        guard let text = headers["www-authenticate"], text.lowercased().hasPrefix("bearer ") else { return nil }
        for item in text.dropFirst("bearer ".count).split(whereSeparator: { $0 == "," || $0 == " " }) {
            let halves = item.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, ["authorization_uri", "authorization"].contains(halves[0].lowercased()),
                let endpoint = Endpoint(halves[1].filter { $0 != "\"" }),
                let tenant = endpoint.path.split(separator: "/").first, tenant != "common", tenant.count <= 100
            else { continue }
            self.tenant = ServerText.readable(String(tenant))
            return
        }
        return nil
    }

    /// For the message of the refusal.
    package var advice: String { "it takes tokens of tenant \(tenant): set tenant_id or AZURE_TENANT_ID to that" }
}
