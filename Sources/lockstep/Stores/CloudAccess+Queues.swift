import AWS
import Azure
import Configuration
import Google
import HTTPStores
import ObjectStores

extension CloudAccess {
    /// A queue of changes, by its name in the cloud whose it is. Making it asks nobody.
    func queue(_ text: String, _ connection: Connection) throws(SettingError) -> any EventQueue {
        do {
            switch EventQueueKind(text) {
            case .sqs: return try amazonQueue(text, connection)
            case .pubSub: return try googleQueue(text, connection)
            case .storageQueue: return try azureQueue(text, connection)
            case nil: throw SettingError("queue", message: "it names no queue of a cloud")
            }
        } catch let error as SettingError {
            throw error
        } catch let error as StoreError {
            throw SettingError("queue", message: error.message)
        } catch {
            throw SettingError("queue", message: "\(error)")
        }
    }

    private func amazonQueue(_ url: String, _ connection: Connection) throws -> any EventQueue {
        var identity = connection.identity?.aws ?? AWSIdentity()
        if let profile = connection.profile { identity.profile = profile }
        guard let credentials = try credentials.aws(identity, region: connection.region) else {
            throw SettingError("anonymous", message: "a queue cannot be read without an identity")
        }
        let set = try AWSServiceAddress.configured(.sqs, environment: environment, profile: identity.profile)
        // The URL of a queue at Amazon names its region, whatever the environment's is.
        let region = url.contains(".amazonaws.") ? nil : connection.region ?? set.region
        return try AWSEventQueue(
            url: url, region: region, endpoint: set.endpoint, credentials: credentials, transport: transport,
            now: seconds)
    }

    private func googleQueue(_ subscription: String, _ connection: Connection) throws -> any EventQueue {
        try GoogleEventQueue(
            subscription: subscription, environment: environment,
            credentials: try credentials.google(connection.identity?.google ?? GoogleIdentity()), transport: transport,
            now: seconds)
    }

    private func azureQueue(_ url: String, _ connection: Connection) throws -> any EventQueue {
        let address: AzureQueueAddress
        do throws(SettingError) {
            address = try AzureQueueAddress(url)
        } catch {
            throw error.about("queue")
        }
        let credentials = try credentials.azure(
            connection.identity?.azure ?? AzureIdentity(), account: address.account, scope: .storage,
            endpoint: address.endpoint, profile: connection.profile)
        return try AzureEventQueue(queue: url, credentials: credentials, transport: transport, now: seconds)
    }
}
