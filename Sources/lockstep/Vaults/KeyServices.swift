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
        do throws(StoreError) {
            return KeyServiceWrapper(service: try service(address, identity), time: time)
        } catch {
            throw CommandFailure(.configuration, "\(address): \(error.message)")
        }
    }

    private func service(
        _ address: KeyServiceAddress, _ identity: CloudIdentity?
    ) throws(StoreError) -> any KeyService {
        switch address.kind {
        case .aws: try aws(address.key, identity?.aws ?? AWSIdentity())
        case .google: try google(address.key, identity?.google ?? GoogleIdentity())
        case .azure: try azure(address.key, identity?.azure ?? AzureIdentity())
        case .hashiCorp: try hashiCorp(address.key)
        }
    }

    private func aws(_ key: String, _ identity: AWSIdentity) throws(StoreError) -> any KeyService {
        let (endpoint, region) = try AWSServiceAddress.configured(
            .kms, environment: environment, profile: identity.profile)
        guard let credentials = try credentials.aws(identity, region: nil) else { throw anonymous }
        return try AWSKeyService(
            key: key, region: key.hasPrefix("arn:") ? nil : region, endpoint: endpoint, credentials: credentials,
            transport: transport, now: seconds)
    }

    private func google(_ key: String, _ identity: GoogleIdentity) throws(StoreError) -> any KeyService {
        try GoogleKeyService(
            key: key, endpoint: try GoogleKeyService.endpoint(environment: environment),
            credentials: credentials.google(identity), transport: transport, now: seconds)
    }

    private func azure(_ key: String, _ identity: AzureIdentity) throws(StoreError) -> any KeyService {
        do throws(AzureConfigurationError) {
            let (scope, endpoint) = try AzureKeyService.scope(of: key)
            let shared = try credentials.azure(identity, account: nil, scope: scope, endpoint: endpoint)
            guard let shared else { throw AzureConfigurationError(message: anonymous.message) }
            return try AzureKeyService(key: key, credentials: shared, transport: transport, now: seconds)
        } catch {
            throw StoreError(.invalidRequest, .head, message: error.message)
        }
    }

    private var anonymous: StoreError {
        StoreError(.unauthenticated, .head, message: "the key service answers nobody without credentials")
    }

    private func hashiCorp(_ path: String) throws(StoreError) -> any KeyService {
        guard let endpoint = environment["VAULT_ADDR"].flatMap({ Endpoint($0) }) else {
            throw StoreError(
                .invalidRequest, .head,
                message: "set VAULT_ADDR to the server's URL, such as https://vault.example.org:8200")
        }
        let namespace = environment["VAULT_NAMESPACE"].flatMap { $0.isEmpty ? nil : $0 }
        let server = try HashiCorpVault(
            endpoint: endpoint, namespace: namespace, transport: transport, now: seconds)
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
