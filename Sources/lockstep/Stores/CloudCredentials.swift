import AWS
import Azure
import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import Synchronization

/// The credentials of this process: each identity is signed in once, whoever asks in its name, and refreshed once for all of them.
final class CloudCredentials: Sendable {
    private struct AWSKey: Hashable {
        var identity: AWSIdentity
        var region: String?
    }

    private struct GoogleKey: Hashable {
        var identity: GoogleIdentity
        var scope: GoogleScope
        /// nil for what is not storage.
        var storage: GCSConfiguration?
    }

    private struct AzureKey: Hashable {
        var identity: AzureIdentity
        var account: String?
        var scope: AzureScope
        var endpoint: Endpoint?
        var profile: String?
    }

    /// Of a kind. A daemon meets a new one with each secret that is rotated; beyond it all sign in anew.
    private static let maxIdentities = 1000

    private let environment: [String: String]
    private let transport: any HTTPTransport
    private let time: any Timekeeper
    private let aws = Mutex<[AWSKey: SharedCredentials<AWSCredentials>]>([:])
    private let google = Mutex<[GoogleKey: SharedCredentials<GoogleToken>]>([:])
    private let azure = Mutex<[AzureKey: SharedCredentials<AzureCredentials>]>([:])

    init(environment: [String: String], transport: any HTTPTransport, time: any Timekeeper) {
        self.environment = environment
        self.transport = transport
        self.time = time
    }

    /// - Parameter region: where roles are assumed; nil is that of the environment.
    /// - Returns: nil for anonymous requests, as in all of these.
    func aws(_ identity: AWSIdentity, region: String?) throws(SettingError) -> SharedCredentials<AWSCredentials>? {
        let key = AWSKey(identity: identity, region: region)
        return try aws.withLock { known throws(SettingError) in
            if let found = known[key] { return found }
            if known.count == Self.maxIdentities { known = [:] }
            let made = try AWSCredentials.shared(
                identity, region: region, environment: environment, transport: transport, now: seconds)
            known[key] = made
            return made
        }
    }

    /// Of requests to Cloud Storage where `configuration` says.
    func google(
        _ identity: GoogleIdentity, for configuration: GCSConfiguration
    ) throws(SettingError) -> SharedCredentials<GoogleToken>? {
        // How objects are encrypted is no matter of who asks.
        var storage = configuration
        storage.kmsKeyName = nil
        let key = GoogleKey(identity: identity, scope: .objects, storage: storage)
        return try google.withLock { known throws(SettingError) in
            if let found = known[key] { return found }
            if known.count == Self.maxIdentities { known = [:] }
            let made = try configuration.credentials(
                identity, environment: environment, transport: transport, now: seconds)
            known[key] = made
            return made
        }
    }

    /// Of requests to other services of Google's than storage.
    func google(_ identity: GoogleIdentity) throws(SettingError) -> SharedCredentials<GoogleToken>? {
        try identity.check()
        let key = GoogleKey(identity: identity, scope: .platform, storage: nil)
        return google.withLock { known in
            if let found = known[key] { return found }
            if known.count == Self.maxIdentities { known = [:] }
            let made = GoogleCredentials.shared(
                identity, scope: .platform, environment: environment, transport: transport, now: seconds)
            known[key] = made
            return made
        }
    }

    /// - Parameters:
    ///   - account: nil where the scope is not storage.
    ///   - endpoint: where the credentials will be sent.
    ///   - profile: of the variables.
    func azure(
        _ identity: AzureIdentity, account: String?, scope: AzureScope, endpoint: Endpoint?, profile: String? = nil
    ) throws(SettingError) -> SharedCredentials<AzureCredentials>? {
        let key = AzureKey(identity: identity, account: account, scope: scope, endpoint: endpoint, profile: profile)
        return try azure.withLock { known throws(SettingError) in
            if let found = known[key] { return found }
            if known.count == Self.maxIdentities { known = [:] }
            let made = try AzureCredentials.shared(
                identity, account: account, scope: scope, endpoint: endpoint, profile: profile,
                environment: environment, transport: transport, now: seconds)
            known[key] = made
            return made
        }
    }

    private var seconds: @Sendable () -> Int64 {
        let time = time
        return { time.nowSeconds() }
    }
}
