import HTTPStores

/// How often messages were delivered here, for services that do not count: Pub/Sub does only where dead letters are set up.
struct DeliveryCounts: Sendable {
    /// Messages; beyond it the oldest are forgotten, and counted anew.
    private static let limit = 10_000

    private var counts: [String: Int] = [:]
    private var order: [String] = []

    /// The messages, each with the larger of both counts.
    mutating func count(_ messages: [EventMessage]) -> [EventMessage] {
        messages.map { message in
            var message = message
            let count = (counts[message.id] ?? 0) + 1
            if counts.updateValue(count, forKey: message.id) == nil { order.append(message.id) }
            if order.count > Self.limit { counts[order.removeFirst()] = nil }
            message.deliveries = max(message.deliveries, count)
            return message
        }
    }

    mutating func forget(_ messages: [EventMessage]) {
        for message in messages where counts.removeValue(forKey: message.id) != nil {
            order.removeAll { $0 == message.id }
        }
    }
}
