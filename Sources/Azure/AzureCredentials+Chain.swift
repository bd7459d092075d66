import Cryptography
package import HTTPStores
package import HTTPTransport

extension AzureCredentials {
    /// Fresh tokens are fetched in the background when less than this is left, in seconds (as Azure's own clients do).
    package static let advisory: Int64 = 300
    /// Everybody waits for them when less than this is left.
    package static let margin: Int64 = 60

    /// The credentials of an identity, found in this order: what the identity says; the account's connection string, key or
    /// signature in the environment; `AZURE_CLIENT_SECRET`; `AZURE_CLIENT_CERTIFICATE_PATH`; `AZURE_FEDERATED_TOKEN_FILE`; the
    /// managed identity of the machine. Nothing is sent before credentials are asked for.
    ///
    /// - Parameters:
    ///   - account: the storage account; nil where the scope is not storage.
    ///   - endpoint: where the credentials will be sent: tells the cloud, and whether there is a machine's identity for it without
    ///     anybody saying so. nil is Azure's worldwide cloud.
    ///   - profile: with profile `backup` the variables are `AZURE_CLIENT_SECRET_BACKUP` and so on, and only these.
    ///   - now: seconds since 1970.
    /// - Returns: nil for anonymous requests.
    package static func shared(
        _ identity: AzureIdentity, account: String?, scope: AzureScope, endpoint: Endpoint? = nil,
        profile: String? = nil, environment: [String: String], transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(SettingError) -> SharedCredentials<AzureCredentials>? {
        if identity.isAnonymous { return nil }
        let variables = try AzureVariables(environment, profile: profile)
        try identity.check()
        if let account, scope == .storage {
            if let own = try identity.accountCredentials(account) {
                return SharedCredentials(try own.fit(to: endpoint))
            }
            if !identity.namesPrincipal, let found = try variables.credentials(for: account) {
                return SharedCredentials(try found.fit(to: endpoint))
            }
        }
        let chain = AzureTokenChain(
            identity: identity, scope: scope, endpoint: endpoint, variables: variables, environment: environment,
            transport: transport, now: now)
        guard let provider = try chain.provider() else { return nil }
        guard AzureCredentials.mayTravel(to: endpoint) else { throw AzureCredentials.unencrypted(endpoint) }
        return SharedCredentials(provider, margin: margin, advisory: advisory, now: now)
    }
}

extension AzureCredentials {
    /// The same, unless whoever sees a request to that endpoint could send others.
    fileprivate func fit(to endpoint: Endpoint?) throws(SettingError) -> AzureCredentials {
        guard !mustTravelEncrypted || Self.mayTravel(to: endpoint) else { throw Self.unencrypted(endpoint) }
        return self
    }

    fileprivate static func mayTravel(to endpoint: Endpoint?) -> Bool {
        endpoint.map { $0.scheme == "https" || $0.isLoopback } ?? true
    }

    fileprivate static func unencrypted(_ endpoint: Endpoint?) -> SettingError {
        SettingError(
            "endpoint",
            message: "tokens and shared access signatures must not travel unencrypted: use https for "
                + (endpoint?.description ?? "it"))
    }
}

extension AzureIdentity {
    /// Those of the account's own that the identity names.
    fileprivate func accountCredentials(_ account: String) throws(SettingError) -> AzureCredentials? {
        if let connectionString {
            do throws(SettingError) {
                let connection = try AzureConnectionString(connectionString.revealed(), origin: "the string")
                try connection.check(account, origin: "the string")
                guard let credentials = connection.credentials else {
                    throw SettingError(message: "it has neither AccountKey nor SharedAccessSignature")
                }
                return credentials
            } catch {
                throw error.about("connection_string")
            }
        }
        do throws(SettingError) {
            if let accountKey {
                return .sharedKey(account: account, key: try SettingError.key(accountKey.revealed(), origin: "it"))
            }
        } catch {
            throw error.about("account_key")
        }
        do throws(SettingError) {
            return try sasToken.map { (token) throws(SettingError) in
                .sas(try SettingError.sas(token.revealed(), origin: "it"))
            }
        } catch {
            throw error.about("sas_token")
        }
    }
}

/// Chooses who hands out tokens.
private struct AzureTokenChain {
    let identity: AzureIdentity
    let scope: AzureScope
    let endpoint: Endpoint?
    let variables: AzureVariables
    /// What the platform sets is the same for all profiles.
    let environment: [String: String]
    let transport: any HTTPTransport
    let now: @Sendable () -> Int64

    typealias Provider = any CredentialProvider<AzureCredentials>

    /// What proves an application: a setting or a variable, under the name that it has there.
    private struct Proof {
        var name: String
        var value: String
        var isSetting: Bool

        func isWithout(_ what: String, _ setting: String, _ variable: String) -> SettingError {
            isSetting
                ? SettingError(name, message: "it needs \(setting) beside it")
                : SettingError(message: "\(name) is set without \(what): set \(variable), or \(setting)")
        }
    }

    func provider() throws(SettingError) -> Provider? {
        if identity.usesManagedIdentity { return try managedIdentity(isExpected: true) }
        // What the identity itself says counts before any variable.
        let saysProof = !identity.proofs.isEmpty
        func proof(_ setting: String, _ said: String?, _ name: String) -> Proof? {
            if let said { return Proof(name: setting, value: said, isSetting: true) }
            return saysProof ? nil : variables[name].map { Proof(name: $0.name, value: $0.value, isSetting: false) }
        }
        if let secret = proof("client_secret", identity.clientSecret?.revealed(), "AZURE_CLIENT_SECRET") {
            return AzureClientSecret(try service(for: secret), secret: Secret(secret.value))
        }
        if let path = proof("certificate_file", identity.certificateFile, "AZURE_CLIENT_CERTIFICATE_PATH") {
            let password =
                identity.certificatePassword ?? variables["AZURE_CLIENT_CERTIFICATE_PASSWORD"].map { Secret($0.value) }
            return AzureClientCertificate(try service(for: path), path: path.value, password: password, now: now)
        }
        if let path = proof("federated_token_file", identity.federatedTokenFile, "AZURE_FEDERATED_TOKEN_FILE") {
            return AzureWorkloadIdentity(try service(for: path), tokenFile: path.value)
        }
        if let half = identity.namesWithoutProof {
            throw SettingError(
                half,
                message:
                    "it needs client_secret, certificate_file or federated_token_file beside it; a machine's own identity is "
                    + "asked for by managed_identity: true")
        }
        let isExpected = identity.namesPrincipal || platformNamesIdentity || scope != .storage
        guard isExpected || isAzure else { return nil }
        return try managedIdentity(isExpected: isExpected)
    }

    private var isAzure: Bool { endpoint.map { AzureCloud(host: $0.host) != nil } ?? true }

    private var platformNamesIdentity: Bool {
        ["IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"].contains { value($0) != nil }
    }

    private func value(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private var clientID: String? { identity.clientID ?? variables["AZURE_CLIENT_ID"]?.value }

    // MARK: Entra

    /// - Parameter proof: what needs tenant and application, for messages.
    private func service(for proof: Proof) throws(SettingError) -> AzureTokenService {
        guard let tenantID = identity.tenantID ?? variables["AZURE_TENANT_ID"]?.value else {
            throw proof.isWithout("a tenant", "tenant_id", variables.name("AZURE_TENANT_ID"))
        }
        guard let clientID else {
            throw proof.isWithout("an application", "client_id", variables.name("AZURE_CLIENT_ID"))
        }
        // It becomes a part of the URL that the proof is sent to.
        guard tenantID.utf8.allSatisfy({ Self.isIdentifier($0) }), tenantID.contains(where: { $0 != "." }) else {
            throw SettingError(
                identity.tenantID == nil ? nil : "tenant_id",
                message: "the tenant is neither an id nor a domain: it may have letters, digits, dots and hyphens")
        }
        return AzureTokenService(
            authority: try authority(), tenantID: tenantID, clientID: clientID, resource: scope.resource(in: cloud),
            transport: transport, now: now)
    }

    private static func isIdentifier(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private var cloud: AzureCloud { endpoint.flatMap { AzureCloud(host: $0.host) } ?? .worldwide }

    private func authority() throws(SettingError) -> Endpoint {
        let variable = "AZURE_AUTHORITY_HOST"
        guard let text = identity.authorityHost ?? variables[variable]?.value ?? value(variable) else {
            return Endpoint(host: cloud.authorityHost)
        }
        guard let endpoint = Endpoint(text.contains("://") ? text : "https://\(text)"),
            endpoint.scheme == "https" || endpoint.isLoopback
        else {
            let isSetting = identity.authorityHost != nil
            throw SettingError(
                isSetting ? "authority_host" : nil,
                message:
                    "\(isSetting ? "it" : variable) is no https URL such as https://login.microsoftonline.com; secrets are not sent there"
            )
        }
        return endpoint
    }

    // MARK: managed identity

    private func managedIdentity(isExpected: Bool) throws(SettingError) -> Provider {
        AzureManagedIdentity(
            try managedIdentitySource(), resource: scope.resource(in: cloud), clientID: clientID,
            isExpected: isExpected, transport: transport, now: now)
    }

    private func managedIdentitySource() throws(SettingError) -> AzureManagedIdentity.Source {
        guard let endpoint = try local("IDENTITY_ENDPOINT") else {
            return .machine(try local("AZURE_POD_IDENTITY_AUTHORITY_HOST") ?? AzureManagedIdentity.Source.metadata)
        }
        if value("IDENTITY_SERVER_THUMBPRINT") != nil {
            throw SettingError(
                message:
                    "managed identities of Service Fabric are not supported; use a client secret, a certificate or a federated token"
            )
        }
        if let header = value("IDENTITY_HEADER") { return .application(endpoint, header: Secret(header)) }
        guard value("IMDS_ENDPOINT") != nil else {
            throw SettingError(
                message:
                    "IDENTITY_ENDPOINT is set without IDENTITY_HEADER (App Service, Container Apps) and without IMDS_ENDPOINT (Azure Arc)"
            )
        }
        guard clientID == nil else {
            throw SettingError(
                identity.clientID == nil ? nil : "client_id",
                message: "Azure Arc has no user-assigned identities: leave client_id and AZURE_CLIENT_ID out")
        }
        return .arc(endpoint, keyDirectory: AzureManagedIdentity.Source.arcKeyDirectory)
    }

    /// The endpoint that a variable names, nil when it is not set. Services of managed identities are on the machine, its link or, at
    /// App Service, the sandbox's own network; whatever else a variable names does not get the secret header.
    private func local(_ name: String) throws(SettingError) -> Endpoint? {
        guard let text = value(name) else { return nil }
        guard let endpoint = Endpoint(text), endpoint.isLoopback || endpoint.isLocalAddress else {
            throw SettingError(
                message: "\(name) is no URL of this machine or its own network, where managed identity services are")
        }
        return endpoint
    }
}
