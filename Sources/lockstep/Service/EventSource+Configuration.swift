import AWS
import Azure
import Configuration
import Google
import HTTPStores
import ObjectStores
import Operations
import ReplicationModel

extension EventSource {
    /// The queue of a pair's source, in the cloud of that source; nil for a pair without events.
    /// - Parameter configuration: what the queue's secrets are read again from.
    init?(_ pair: ConfiguredPair, configuration: RereadConfiguration, context: CommandContext) throws {
        guard let events = pair.pair.events else { return nil }
        let location = pair.pair.source.location
        let queue: any EventQueue
        do {
            queue = try ReopenedQueue {
                let connection = try configuration.pair(pair.name).eventConnection
                return try Self.queue(events.queue, of: location.service, connection, context)
            }
        } catch {
            throw CommandFailure(.configuration, "pair \(pair.name), events: \(error)")
        }
        let settings = pair.pair.settings
        self.init(
            pair: pair.name, queue: queue,
            scope: EventScope(location: location, filter: settings.filter, sets: settings.pointers.sets),
            batchWait: events.batchWait,
            identity: "\(events) \(location) \(pair.eventConnection) \(settings.filter) \(settings.pointers)")
    }

    private static func queue(
        _ text: String, of service: ObjectLocation.Service, _ connection: Connection, _ context: CommandContext
    ) throws -> any EventQueue {
        let environment = context.environment
        let time = context.time
        let now: @Sendable () -> Int64 = { time.nowSeconds() }
        switch service {
        case .s3:
            var identity = connection.identity?.aws ?? AWSIdentity()
            if let profile = connection.profile { identity.profile = profile }
            guard let credentials = try context.credentials.aws(identity, region: connection.region) else {
                throw CommandFailure(.configuration, "a queue cannot be read without an identity")
            }
            let set = try AWSServiceAddress.configured(.sqs, environment: environment, profile: identity.profile)
            // The URL of a queue at Amazon names its region, whatever the environment's is.
            let region = text.contains(".amazonaws.") ? nil : connection.region ?? set.region
            return try AWSEventQueue(
                url: text, region: region, endpoint: set.endpoint, credentials: credentials,
                transport: context.transport, now: now)
        case .gs:
            let credentials = context.credentials.google(connection.identity?.google ?? GoogleIdentity())
            return try GoogleEventQueue(
                subscription: text, environment: environment, credentials: credentials, transport: context.transport,
                now: now)
        case .az:
            let address = try AzureQueueAddress(text)
            let credentials = try context.credentials.azure(
                connection.identity?.azure ?? AzureIdentity(), account: address.account, scope: .storage,
                endpoint: address.endpoint, profile: connection.profile)
            return try AzureEventQueue(queue: text, credentials: credentials, transport: context.transport, now: now)
        case .file, .memory:
            throw CommandFailure(.configuration, "a source of the kind \(service.rawValue) has no queue of changes")
        }
    }
}
