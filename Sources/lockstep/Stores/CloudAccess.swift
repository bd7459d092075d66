import AWS
import Azure
import AzureBlob
import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3

/// Reaches the clouds: the only place where the program makes their stores. Making one asks nobody, so that what cannot be used is found
/// before anything is sent.
struct CloudAccess: Sendable {
    let environment: [String: String]
    let transport: any HTTPTransport
    let time: any Timekeeper
    let credentials: CloudCredentials

    /// A location's store as its cloud has it: without a prefix, retries or limits.
    struct Base: Sendable {
        let store: any ObjectStore
        /// The service's address, to tell equal bucket names of two services apart.
        let endpoint: String
        /// What the store found out about its server, one sentence each.
        var learned: @Sendable () -> [String] = { [] }
        /// See `CredentialProvider.check`.
        var checkCredentials: @Sendable () throws(SettingError) -> Void = {}
    }

    /// - Parameter isReadOnly: otherwise a directory that does not exist is made by the first write.
    func base(
        _ location: ObjectLocation, _ connection: Connection, isReadOnly: Bool
    ) throws(CommandFailure) -> Base {
        do {
            switch location.service {
            case .s3: return try s3(location, connection)
            case .gs: return try gcs(location, connection)
            case .az: return try azure(location, connection)
            case .file: return try files(location, connection, isReadOnly)
            case .memory: throw LocationError("\(location): memory is for tests")
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch let error as SettingError {
            throw CommandFailure(error, at: location)
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
            environment: environment, files: try sharedFiles())
        configuration.encryption = try connection.encryption.map { text in try S3Encryption(text) }
        let credentials = try credentials.aws(identity, region: connection.region)
        try configuration.check(bucket: location.bucket)
        let store = S3Store(
            configuration: configuration, bucket: location.bucket, transport: transport, credentials: credentials,
            now: seconds)
        return Base(
            store: store, endpoint: configuration.endpoint?.description ?? "aws", learned: { store.learned },
            checkCredentials: { () throws(SettingError) in try credentials?.check() })
    }

    private func sharedFiles() throws(SettingError) -> AWSSharedFiles {
        do throws(AWSSharedFileError) {
            return try AWSSharedFiles.load(environment: environment)
        } catch {
            throw SettingError(message: error.description, dependsOnMachine: true)
        }
    }

    private func gcs(_ location: ObjectLocation, _ connection: Connection) throws -> Base {
        guard connection.region == nil else {
            throw CommandFailure(.usage, "\(location) is in Google Cloud Storage, which is not asked by region")
        }
        var identity = connection.identity?.google ?? GoogleIdentity()
        if let profile = connection.profile {
            guard identity.credentialsFile == nil else {
                throw SettingError("credentials_file", message: "it and profile are alternatives: keep one of them")
            }
            identity.credentialsFile = try googleCredentials(of: profile)
        }
        var configuration = try GCSConfiguration.resolve(endpoint: connection.endpoint, environment: environment)
        configuration.kmsKeyName = connection.encryption
        let credentials = try credentials.google(identity, for: configuration)
        try configuration.check(bucket: location.bucket)
        let store = GCSStore(
            configuration: configuration, bucket: location.bucket, transport: transport, credentials: credentials,
            now: seconds)
        return Base(
            store: store, endpoint: configuration.endpoint.description, learned: { store.learned },
            checkCredentials: { () throws(SettingError) in try credentials?.check() })
    }

    /// The credentials file of a profile: `GOOGLE_APPLICATION_CREDENTIALS_NAME`, as the Azure variables have it.
    private func googleCredentials(of profile: String) throws(SettingError) -> String {
        let suffix = profile.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        let name = "GOOGLE_APPLICATION_CREDENTIALS_" + String(suffix)
        guard let path = environment[name], !path.isEmpty else {
            throw SettingError(
                "profile", message: "profile \(profile) is not set up: set \(name) to a file of Google credentials",
                dependsOnMachine: true)
        }
        return path
    }

    private func azure(_ location: ObjectLocation, _ connection: Connection) throws -> Base {
        let identity = connection.identity?.azure ?? AzureIdentity()
        var configuration = try AzureBlobConfiguration.resolve(
            account: location.account, endpoint: connection.endpoint, connectionString: identity.connectionString,
            profile: connection.profile,
            // A variable for another account does not concern an identity that the configuration has said.
            environment: identity == AzureIdentity() ? environment : [:])
        configuration.encryptionScope = connection.encryption
        let credentials = try credentials.azure(
            identity, account: location.account, scope: .storage, endpoint: configuration.endpoint,
            profile: connection.profile)
        try configuration.check(container: location.bucket)
        let store = AzureBlobStore(
            configuration: configuration, account: location.account, container: location.bucket, transport: transport,
            credentials: credentials, now: seconds)
        return Base(
            store: store, endpoint: configuration.endpoint.description, learned: { store.learned },
            checkCredentials: { () throws(SettingError) in try credentials?.check() })
    }

    private func files(_ location: ObjectLocation, _ connection: Connection, _ isReadOnly: Bool) throws -> Base {
        guard connection.isConventional else {
            throw CommandFailure(
                .usage, "\(location) is a directory: it has no endpoint, region, identity or encryption")
        }
        let options = FileStoreOptions(isReadOnly: isReadOnly, createsRoot: !isReadOnly)
        return Base(store: FileStore(root: location.bucket, options: options), endpoint: "file")
    }

    var seconds: @Sendable () -> Int64 {
        let time = time
        return { time.nowSeconds() }
    }
}

/// Sends nothing: stands where a configuration is only looked at.
struct NoTransport: HTTPTransport {
    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        throw HTTPFailure(code: .other, message: "nothing is sent here", mayHaveBeenProcessed: false)
    }
}
