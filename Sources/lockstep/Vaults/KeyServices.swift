import AWS
import ArgumentParser
import Azure
import Cryptography
import Google
import HTTPStores
import HTTPTransport
import HashiCorp
import ObjectStores

/// `KIND:KEY`, as `--kms` and the configuration name a key of a key service.
///
/// Always said by whoever runs the program and never taken from the vault: what is written there must not choose whom this machine's
/// credentials are shown to.
struct KeyServiceAddress: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
    enum Kind: String, CaseIterable {
        case aws = "aws-kms"
        case google = "gcp-kms"
        case azure = "azure-key-vault"
        case hashiCorp = "hashicorp-transit"
    }

    let kind: Kind
    /// In the service's own words.
    let key: String

    init?(argument: String) {
        guard let colon = argument.firstIndex(of: ":"), let kind = Kind(rawValue: String(argument[..<colon])) else {
            return nil
        }
        self.kind = kind
        key = String(argument[argument.index(after: colon)...])
        guard !key.isEmpty else { return nil }
    }

    var description: String { "\(kind.rawValue):\(key)" }

    static let usage =
        "a key of a key service is written KIND:KEY, with one of the kinds "
        + Kind.allCases.map(\.rawValue).joined(separator: ", ")
}

/// Makes the clients of key services: the only place where the program names them.
struct KeyServices: Sendable {
    let environment: [String: String]
    let transport: any HTTPTransport
    let time: any Timekeeper
    let credentials: CloudCredentials

    /// - Parameter identity: who asks a cloud's key service; of another cloud than the key's, or nil: as the environment has it.
    func wrapper(
        _ address: KeyServiceAddress, as identity: CloudIdentity? = nil
    ) throws(CommandFailure) -> KeyServiceWrapper {
        do throws(SettingError) {
            return KeyServiceWrapper(service: try service(address, identity), time: time)
        } catch {
            var failure = CommandFailure(.configuration, "\(address): \(error.message)")
            failure.setting = error
            throw failure
        }
    }

    private func service(
        _ address: KeyServiceAddress, _ identity: CloudIdentity?
    ) throws(SettingError) -> any KeyService {
        switch address.kind {
        case .aws: try aws(address.key, identity?.aws ?? AWSIdentity())
        case .google: try google(address.key, identity?.google ?? GoogleIdentity())
        case .azure: try azure(address.key, identity?.azure ?? AzureIdentity())
        case .hashiCorp: try hashiCorp(address.key)
        }
    }

    private func aws(_ key: String, _ identity: AWSIdentity) throws(SettingError) -> any KeyService {
        guard let credentials = try credentials.aws(identity, region: nil) else { throw anonymous }
        let isARN = key.hasPrefix("arn:")
        let (endpoint, region) = try found { () throws(StoreError) in
            try AWSServiceAddress.configured(.kms, environment: environment, profile: identity.profile)
        }
        guard isARN || region != nil else {
            throw SettingError(
                "kms", message: "the region of the key is not said: write the key's ARN, or set AWS_REGION",
                dependsOnMachine: true)
        }
        return try written { () throws(StoreError) in
            try AWSKeyService(
                key: key, region: isARN ? nil : region, endpoint: endpoint, credentials: credentials,
                transport: transport, now: seconds)
        }
    }

    private func google(_ key: String, _ identity: GoogleIdentity) throws(SettingError) -> any KeyService {
        let credentials = try credentials.google(identity)
        let endpoint = try found { () throws(StoreError) in
            try GoogleKeyService.endpoint(environment: environment)
        }
        return try written { () throws(StoreError) in
            try GoogleKeyService(
                key: key, endpoint: endpoint, credentials: credentials, transport: transport, now: seconds)
        }
    }

    private func azure(_ key: String, _ identity: AzureIdentity) throws(SettingError) -> any KeyService {
        let scope: AzureScope
        let endpoint: Endpoint
        do throws(SettingError) {
            (scope, endpoint) = try AzureKeyService.scope(of: key)
        } catch {
            throw error.about("kms")
        }
        let shared = try credentials.azure(identity, account: nil, scope: scope, endpoint: endpoint)
        guard let shared else { throw anonymous }
        return try AzureKeyService(key: key, credentials: shared, transport: transport, now: seconds)
    }

    private var anonymous: SettingError {
        SettingError("anonymous", message: "the key service answers nobody without credentials")
    }

    private func hashiCorp(_ path: String) throws(SettingError) -> any KeyService {
        guard let text = environment["VAULT_ADDR"], !text.isEmpty else {
            throw SettingError(
                "kms", message: "set VAULT_ADDR to the server's URL, such as https://vault.example.org:8200",
                dependsOnMachine: true)
        }
        guard let endpoint = Endpoint(text) else { throw SettingError("kms", message: "VAULT_ADDR \(Endpoint.advice)") }
        let namespace = environment["VAULT_NAMESPACE"].flatMap { $0.isEmpty ? nil : $0 }
        let server = try written { () throws(StoreError) in
            try HashiCorpVault(endpoint: endpoint, namespace: namespace, transport: transport, now: seconds)
        }
        let provider = try found { () throws(StoreError) in
            HashiCorpCredentials(
                try HashiCorpCredentials.source(environment: environment), server: server, now: seconds)
        }
        return try written { () throws(StoreError) in
            try HashiCorpKeyService(
                path: path, server: server, credentials: SharedCredentials(provider, margin: 60, now: seconds))
        }
    }

    /// What the key's own name makes wrong.
    private func written<Value>(_ make: () throws(StoreError) -> Value) throws(SettingError) -> Value {
        do throws(StoreError) { return try make() } catch { throw SettingError("kms", message: error.message) }
    }

    /// What is looked for on this machine.
    private func found<Value>(_ find: () throws(StoreError) -> Value) throws(SettingError) -> Value {
        do throws(StoreError) { return try find() } catch {
            throw SettingError("kms", message: error.message, dependsOnMachine: true)
        }
    }

    private var seconds: @Sendable () -> Int64 {
        let time = time
        return { time.nowSeconds() }
    }
}
