import Configuration
import HTTPStores
import Operations

extension EventSource {
    /// The queue of a pair's source, in the cloud of that source; nil for a pair without events.
    /// - Parameter configuration: what the queue's secrets are read again from.
    init?(_ pair: ConfiguredPair, configuration: RereadConfiguration, context: CommandContext) throws {
        guard let events = pair.pair.events else { return nil }
        let location = pair.pair.source.location
        let queue: any EventQueue
        do {
            queue = try ReopenedQueue {
                try context.clouds.queue(events.queue, try configuration.pair(pair.name).eventConnection)
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
}
