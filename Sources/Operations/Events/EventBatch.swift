package import HTTPStores
package import ReplicationModel

/// Messages that wait together: their keys are copied in one run, and each message goes when all of its keys are settled.
///
/// Order and repetition of messages do not matter, because the run reads what the source has now.
package struct EventBatch: Sendable {
    package static let maxKeys = 500
    package static let maxMessages = 500
    /// What was delivered so often is left to the next run over both listings.
    package static let maxDeliveries = 5

    /// What to do with messages, and what to count.
    package struct Settlement: Sendable {
        package var acknowledged: [EventMessage] = []
        /// Given back, to come again after so long.
        package var later: [(message: EventMessage, wait: Duration)] = []
        package var needsReconciliation = false
        package var counts: [EventResult: Int] = [:]
        /// For the log: messages that nobody will look at again.
        package var warnings: [String] = []

        package init() {}

        fileprivate mutating func acknowledge(_ message: EventMessage, _ result: EventResult) {
            acknowledged.append(message)
            counts[result, default: 0] += 1
        }
    }

    private struct Entry: Sendable {
        var message: EventMessage
        var keys: Set<ObjectKey>
    }

    private let scope: EventScope
    private var entries: [String: Entry] = [:]
    /// In the order in which they came.
    package private(set) var keys: [ObjectKey] = []
    private var known: Set<ObjectKey> = []

    package init(scope: EventScope) {
        self.scope = scope
    }

    package var isEmpty: Bool { entries.isEmpty }
    package var isFull: Bool { keys.count >= Self.maxKeys || entries.count >= Self.maxMessages }
    package var messages: [EventMessage] { entries.values.map(\.message) }

    /// Takes in what has to wait for a run, and settles the rest at once.
    package mutating func add(_ messages: [EventMessage]) -> Settlement {
        var settlement = Settlement()
        for message in messages {
            switch message.content {
            case .test: settlement.acknowledge(message, .ignored)
            case .unreadable(let reason): settleUnreadable(message, reason, &settlement)
            case .changes(let changes): add(message, changes, &settlement)
            }
        }
        return settlement
    }

    private func settleUnreadable(_ message: EventMessage, _ reason: String, _ settlement: inout Settlement) {
        guard message.deliveries >= Self.maxDeliveries else {
            // It comes again by itself, until the queue's own rule puts it aside.
            settlement.counts[.unreadable, default: 0] += 1
            return
        }
        settlement.acknowledge(message, .unreadable)
        settlement.needsReconciliation = true
        settlement.warnings.append(
            "message \(message.id) was taken off the queue unread after \(message.deliveries) deliveries: \(reason)")
    }

    private mutating func add(_ message: EventMessage, _ changes: [ObjectChange], _ settlement: inout Settlement) {
        let places = changes.map(scope.place)
        let copied = places.compactMap { if case .copy(let key) = $0 { key } else { nil } }
        if places.contains(.reconcile) { settlement.needsReconciliation = true }
        guard !copied.isEmpty else {
            let result: EventResult =
                places.contains(.reconcile) ? .copied : places.contains(.removed) ? .removed : .ignored
            settlement.acknowledge(message, result)
            return
        }
        entries[message.id] = Entry(message: message, keys: Set(copied))
        for key in copied where known.insert(key).inserted { keys.append(key) }
    }

    /// What becomes of the messages after the run over `keys`.
    /// - Parameter unsettled: keys that the target may not have as the source has them; nil: all of them.
    package consuming func settle(unsettled: Set<ObjectKey>?) -> Settlement {
        var settlement = Settlement()
        for entry in entries.values {
            let message = entry.message
            if let unsettled, entry.keys.isDisjoint(with: unsettled) {
                settlement.acknowledge(message, .copied)
            } else if message.deliveries >= Self.maxDeliveries {
                settlement.acknowledge(message, .failed)
                settlement.needsReconciliation = true
                settlement.warnings.append(
                    "message \(message.id) could not be settled in \(message.deliveries) deliveries; the next full run looks at its objects"
                )
            } else {
                settlement.later.append((message, Self.wait(after: message.deliveries)))
            }
        }
        return settlement
    }

    /// Half a minute, then twice as long each time, up to a quarter of an hour.
    static func wait(after deliveries: Int) -> Duration {
        .seconds(min(900, 30 << min(max(deliveries, 1) - 1, 5)))
    }
}
