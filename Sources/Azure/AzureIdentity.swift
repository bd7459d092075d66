package import Cryptography
import HTTPStores

/// Who asks Azure, as a configuration says it. What is nil comes from the environment, as for Azure's own tools.
package struct AzureIdentity: Sendable, Hashable {
    package var accountKey: Secret?
    package var sasToken: Secret?
    package var connectionString: Secret?
    package var tenantID: String?
    package var clientID: String?
    package var clientSecret: Secret?
    /// PEM with the certificate and its RSA key, or PKCS #12.
    package var certificateFile: String?
    package var certificatePassword: Secret?
    /// A token of another issuer that the tenant trusts, as Kubernetes writes it.
    package var federatedTokenFile: String?
    package var usesManagedIdentity: Bool
    /// Where to sign in; nil is that of the cloud.
    package var authorityHost: String?
    package var isAnonymous: Bool

    package init(
        accountKey: Secret? = nil, sasToken: Secret? = nil, connectionString: Secret? = nil, tenantID: String? = nil,
        clientID: String? = nil, clientSecret: Secret? = nil, certificateFile: String? = nil,
        certificatePassword: Secret? = nil, federatedTokenFile: String? = nil, usesManagedIdentity: Bool = false,
        authorityHost: String? = nil, isAnonymous: Bool = false
    ) {
        self.accountKey = accountKey
        self.sasToken = sasToken
        self.connectionString = connectionString
        self.tenantID = tenantID
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.certificateFile = certificateFile
        self.certificatePassword = certificatePassword
        self.federatedTokenFile = federatedTokenFile
        self.usesManagedIdentity = usesManagedIdentity
        self.authorityHost = authorityHost
        self.isAnonymous = isAnonymous
    }

    /// Refuses what contradicts itself, before anybody is asked.
    func check() throws(SettingError) {
        let proofs = proofs
        guard proofs.count < 2 else {
            throw SettingError(
                proofs[1], message: "\(proofs.joined(separator: " and ")) are alternatives: keep one of them")
        }
        guard let proof = proofs.first else { return }
        if certificatePassword != nil, certificateFile == nil {
            throw SettingError("certificate_password", message: "it belongs to certificate_file, not to \(proof)")
        }
        if accountKey != nil || sasToken != nil || connectionString != nil, let half = namesWithoutProof {
            throw SettingError(half, message: "it belongs to an application, and \(proof) needs none: keep one of them")
        }
    }

    /// What proves the identity, in the words of the configuration.
    var proofs: [String] {
        [
            accountKey.map { _ in "account_key" }, sasToken.map { _ in "sas_token" },
            connectionString.map { _ in "connection_string" }, clientSecret.map { _ in "client_secret" },
            certificateFile.map { _ in "certificate_file" }, federatedTokenFile.map { _ in "federated_token_file" },
            usesManagedIdentity ? "managed_identity" : nil,
        ].compactMap { $0 }
    }

    /// What it says of an application that nothing proves, in the words of the configuration.
    var namesWithoutProof: String? {
        if tenantID != nil { return "tenant_id" }
        if clientID != nil { return "client_id" }
        return certificatePassword != nil ? "certificate_password" : nil
    }

    /// Whether it says anything of Microsoft Entra, so that keys in the environment are not for it.
    var namesPrincipal: Bool {
        tenantID != nil || clientID != nil || clientSecret != nil || certificateFile != nil
            || federatedTokenFile != nil || usesManagedIdentity
    }
}
