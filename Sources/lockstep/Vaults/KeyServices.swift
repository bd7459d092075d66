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
        case azure = "azure-key-vault"
        case google = "gcp-kms"
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

    func wrapper(_ address: KeyServiceAddress) throws(CommandFailure) -> KeyServiceWrapper {
        do throws(StoreError) {
            return KeyServiceWrapper(service: try service(address), time: time)
        } catch {
            throw CommandFailure(.configuration, "\(address): \(error.message)")
        }
    }

    private func service(_ address: KeyServiceAddress) throws(StoreError) -> any KeyService {
        switch address.kind {
        case .aws: try aws(address.key)
        case .azure: try azure(address.key)
        case .google: try google(address.key)
        case .hashiCorp: try hashiCorp(address.key)
        }
    }

    private func azure(_ key: String) throws(StoreError) -> any KeyService {
        do throws(AzureConfigurationError) {
            let (scope, vault) = try AzureKeyService.scope(of: key)
            // Key vaults know no anonymous requests: there are always credentials, and their absence is an error of the first call.
            let credentials = try AzureCredentials.shared(
                AzureIdentity(), account: nil, scope: scope, endpoint: vault, environment: environment,
                transport: transport, now: seconds)
            return try AzureKeyService(
                key: key, credentials: credentials ?? SharedCredentials(.anonymous), transport: transport, now: seconds)
        } catch {
            throw StoreError(.invalidRequest, .head, message: error.message)
        }
    }

    private func google(_ key: String) throws(StoreError) -> any KeyService {
        let credentials = GoogleCredentials.shared(
            GoogleIdentity(), scope: .platform, environment: environment, transport: transport, now: seconds)
        return try GoogleKeyService(
            key: key, endpoint: try GoogleKeyService.endpoint(environment: environment), credentials: credentials,
            transport: transport, now: seconds)
    }

    private func aws(_ key: String) throws(StoreError) -> any KeyService {
        let (endpoint, region) = try AWSServiceAddress.configured(.kms, environment: environment)
        let shared = try AWSCredentials.shared(
            AWSIdentity(), region: nil, environment: environment, transport: transport, now: seconds)
        guard let credentials = shared else {
            throw StoreError(.unauthenticated, .head, message: "the key service answers nobody without credentials")
        }
        return try AWSKeyService(
            key: key, region: key.hasPrefix("arn:") ? nil : region, endpoint: endpoint, credentials: credentials,
            transport: transport, now: seconds)
    }

    private func hashiCorp(_ path: String) throws(StoreError) -> any KeyService {
        guard let endpoint = environment["VAULT_ADDR"].flatMap({ Endpoint($0) }) else {
            throw StoreError(
                .invalidRequest, .head,
                message: "set VAULT_ADDR to the server's URL, such as https://vault.example.org:8200")
        }
        let namespace = environment["VAULT_NAMESPACE"].flatMap { $0.isEmpty ? nil : $0 }
        let server = try HashiCorpVault(endpoint: endpoint, namespace: namespace, transport: transport)
        let source = try HashiCorpCredentials.source(environment: environment)
        let provider = HashiCorpCredentials(source, server: server, now: seconds)
        return try HashiCorpKeyService(
            path: path, server: server, credentials: SharedCredentials(provider, margin: 60, now: seconds))
    }

    private var seconds: @Sendable () -> Int64 {
        let time = time
        return { time.nowSeconds() }
    }
}
