import AWS
import Azure
import AzureBlob
import Foundation
import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3

/// Makes the store of a location: the only place where the program names the clouds.
struct StoreFactory {
    let environment: [String: String]
    let transport: any HTTPTransport
    let time: any Timekeeper
    let credentials: CloudCredentials
    let passphrases: Passphrases
    /// Told about every wait before a retry.
    let onRetry: @Sendable (StoreError, Int, Duration) -> Void

    /// What a location may be used for.
    enum Use: Hashable {
        case reading
        /// A directory that does not exist is made by the first write, and is empty until then. `source` is what a vault's snapshot names
        /// as its origin.
        case writing(source: String)

        static let writing = Use.writing(source: "")
        var isReading: Bool { self == .reading }
    }

    /// - Parameter memory: bytes that a vault may hold while it reads or writes.
    func open(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil,
        memory: Int = 128 << 20
    ) async throws(CommandFailure) -> OpenStore {
        guard !location.isVault else {
            return try await openVault(location, connection, for: use, rate: rate, memory: memory)
        }
        if let option = connection.vault.options.first {
            throw CommandFailure(.usage, "\(option) is for vaults, and \(location) is none; write vault+\(location)")
        }
        return try openPlain(location, connection, for: use, rate: rate)
    }

    /// The objects of a location as they lie there, whatever they are.
    func openPlain(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil
    ) throws(CommandFailure) -> OpenStore {
        if let encryption = connection.encryption, let problem = Self.problem(encryption, location.service) {
            throw CommandFailure(.usage, "\(location): \(problem)")
        }
        let (base, endpoint, learned) = try baseStore(location, connection, use)
        let meter = MeteredStore(base)
        let onRetry = onRetry
        let retrying = RetryingStore(
            ThrottledStore(meter, rate: rate, time: time), time: time, addressName: connection.addressName(of: location)
        ) {
            meter.countRetry()
            onRetry($0, $1, $2)
        }
        let store = location.service == .file ? retrying : PrefixedStore.rooted(retrying, at: location.prefix)
        return OpenStore(
            location: location, store: store, meter: meter, identity: "\(location)@\(endpoint)", endpoint: endpoint,
            learned: learned)
    }

    private typealias Base = (store: any ObjectStore, endpoint: String, learned: @Sendable () -> [String])

    private func baseStore(
        _ location: ObjectLocation, _ connection: Connection, _ use: Use
    ) throws(CommandFailure) -> Base {
        do {
            switch location.service {
            case .s3: return try s3(location, connection)
            case .gs: return try gcs(location, connection)
            case .az: return try azure(location, connection)
            case .file: return try files(location, connection, use)
            case .memory: throw LocationError("\(location): memory is for tests")
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as StoreError {
            throw CommandFailure(ExitStatus(error.code), "\(location): \(error.message)")
        } catch {
            throw CommandFailure(.configuration, "\(location): \(error)")
        }
    }

    private func s3(_ location: ObjectLocation, _ connection: Connection) throws -> Base {
        var identity = connection.identity?.aws ?? AWSIdentity()
        if let profile = connection.profile { identity.profile = profile }
        var configuration = try S3Configuration.resolve(
            endpoint: connection.endpoint, region: connection.region, profile: identity.profile,
            environment: environment, files: try AWSSharedFiles.load(environment: environment))
        configuration.encryption = try connection.encryption.map { text in try S3Encryption(text) }
        let store = S3Store(
            configuration: configuration, bucket: location.bucket, transport: transport,
            credentials: try credentials.aws(identity, region: connection.region), now: seconds)
        return (store, configuration.endpoint?.description ?? "aws", { store.learned })
    }

    private func gcs(_ location: ObjectLocation, _ connection: Connection) throws -> Base {
        guard connection.region == nil else {
            throw CommandFailure(.usage, "\(location) is in Google Cloud Storage, which is not asked by region")
        }
        var identity = connection.identity?.google ?? GoogleIdentity()
        if let profile = connection.profile {
            guard identity.credentialsFile == nil else {
                throw CommandFailure(.configuration, "profile and credentials_file are alternatives: keep one of them")
            }
            identity.credentialsFile = try googleCredentials(of: profile)
        }
        var configuration = try GCSConfiguration.resolve(endpoint: connection.endpoint, environment: environment)
        configuration.kmsKeyName = connection.encryption
        let store = GCSStore(
            configuration: configuration, bucket: location.bucket, transport: transport,
            credentials: try credentials.google(identity, for: configuration), now: seconds)
        return (store, configuration.endpoint.description, { store.learned })
    }

    /// The credentials file of a profile: `GOOGLE_APPLICATION_CREDENTIALS_NAME`, as the Azure variables have it.
    private func googleCredentials(of profile: String) throws(CommandFailure) -> String {
        let suffix = profile.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        let name = "GOOGLE_APPLICATION_CREDENTIALS_" + String(suffix)
        guard let path = environment[name], !path.isEmpty else {
            throw CommandFailure(
                .configuration, "profile \(profile) is not set up: set \(name) to a file of Google credentials")
        }
        return path
    }

    private func azure(_ location: ObjectLocation, _ connection: Connection) throws -> Base {
        let identity = connection.identity?.azure ?? AzureIdentity()
        var configuration = try AzureBlobConfiguration.resolve(
            account: location.account, endpoint: connection.endpoint, connectionString: identity.connectionString,
            profile: connection.profile, environment: environment)
        configuration.encryptionScope = connection.encryption
        let store = AzureBlobStore(
            configuration: configuration, account: location.account, container: location.bucket, transport: transport,
            credentials: try credentials.azure(
                identity, account: location.account, scope: .storage, endpoint: configuration.endpoint,
                profile: connection.profile),
            now: seconds)
        return (store, configuration.endpoint.description, { store.learned })
    }

    private func files(_ location: ObjectLocation, _ connection: Connection, _ use: Use) throws -> Base {
        guard connection.isConventional else {
            throw CommandFailure(
                .usage, "\(location) is a directory: it has no endpoint, region, identity or encryption")
        }
        let options = FileStoreOptions(isReadOnly: use.isReading, createsRoot: !use.isReading)
        return (FileStore(root: location.bucket, options: options), "file", { [] })
    }

    private var seconds: @Sendable () -> Int64 {
        let time = time
        return { time.nowSeconds() }
    }
}
