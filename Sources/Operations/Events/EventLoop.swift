package import HTTPStores
import ObjectStores
import ReplicationModel

/// The queue of a pair's source.
package struct EventSource: Sendable {
    package var pair: String
    package var queue: any EventQueue
    package var scope: EventScope
    /// How long the first message of a batch waits for others.
    package var batchWait: Duration
    /// Equal for two sources that need not be told apart: a changed configuration leaves the reading of unchanged queues alone.
    package var identity: String

    package init(pair: String, queue: any EventQueue, scope: EventScope, batchWait: Duration, identity: String) {
        self.identity = identity
        self.pair = pair
        self.queue = queue
        self.scope = scope
        self.batchWait = batchWait
    }
}

/// Reads a pair's queue for as long as its task is not cancelled: gathers, has the keys copied, and takes off the queue what is settled.
///
/// A crash at any point loses nothing: what was not acknowledged comes again, and copying again finds nothing to do.
struct EventLoop: Sendable {
    private static let receiveLimit = 100
    /// What a service waits for a first message, where it can.
    private static let longestWait = Duration.seconds(20)
    /// How long messages are kept from others, and how often that is renewed while a run waits or goes on.
    static let visibility = Duration.seconds(300)
    private static let renewal = Duration.seconds(100)
    private static let longestPause = Duration.seconds(60)

    let source: EventSource
    let time: any Timekeeper
    let log: ServiceLog
    /// Runs over the keys when the pair is free; nil when there will be no more runs.
    let run: @Sendable ([ObjectKey]) async -> PairOutcome?
    /// Counts, and asks for a run over both listings.
    let report: @Sendable (_ counts: [EventResult: Int], _ needsReconciliation: Bool) -> Void

    func run() async {
        var pause = Duration.zero
        var deliveries = DeliveryCounts()
        while !Task.isCancelled {
            do {
                let hasWorked = try await turn(&deliveries)
                pause = hasWorked ? .zero : min(.seconds(10), pause + .seconds(1))
            } catch {
                pause = min(Self.longestPause, max(.seconds(1), pause * 2))
                if !Task.isCancelled { log.warning("queue \(source.queue.name): \(error); again in \(pause.text)") }
            }
            guard pause > .zero else { continue }
            do { try await time.sleep(for: pause) } catch { return }
        }
    }

    /// One batch. False when there was nothing and the queue has not waited for it.
    private func turn(_ deliveries: inout DeliveryCounts) async throws(StoreError) -> Bool {
        var batch = EventBatch(scope: source.scope)
        let started = time.monotonic()
        var hasReceived = try await gather(into: &batch, wait: Self.longestWait, &deliveries)
        guard hasReceived || time.monotonic() - started < 1_000_000_000 else { return true }
        let opened = time.monotonic()
        while !batch.isEmpty, !batch.isFull, !Task.isCancelled {
            let left = source.batchWait - .nanoseconds(time.monotonic() - opened)
            guard left >= .seconds(1) else { break }
            let asked = time.monotonic()
            hasReceived = try await gather(
                into: &batch, wait: min(left, Self.longestWait), &deliveries)
            if !hasReceived, time.monotonic() - asked < 1_000_000_000 {
                do { try await time.sleep(for: min(left, .seconds(1))) } catch { break }
            }
        }
        guard !batch.isEmpty else { return hasReceived }
        try await settle(batch, &deliveries)
        return true
    }

    private func gather(
        into batch: inout EventBatch, wait: Duration, _ deliveries: inout DeliveryCounts
    ) async throws(StoreError) -> Bool {
        let messages = try await source.queue.receive(limit: Self.receiveLimit, wait: wait, visibility: Self.visibility)
        try await perform(batch.add(deliveries.count(messages)), &deliveries)
        return !messages.isEmpty
    }

    private func settle(_ batch: EventBatch, _ deliveries: inout DeliveryCounts) async throws(StoreError) {
        let messages = batch.messages
        let renewing = Task { [source, time] in
            while true {
                try await time.sleep(for: Self.renewal)
                try await source.queue.extend(messages, by: Self.visibility)
            }
        }
        let outcome = await run(batch.keys)
        renewing.cancel()
        // Nobody runs any more: what is not acknowledged comes again.
        guard let outcome else { return }
        try await perform(batch.settle(unsettled: outcome.unsettled), &deliveries)
    }

    private func perform(
        _ settlement: EventBatch.Settlement, _ deliveries: inout DeliveryCounts
    ) async throws(StoreError) {
        for warning in settlement.warnings { log.warning("queue \(source.queue.name): \(warning)") }
        if !settlement.counts.isEmpty || settlement.needsReconciliation {
            report(settlement.counts, settlement.needsReconciliation)
        }
        if !settlement.acknowledged.isEmpty {
            try await source.queue.acknowledge(settlement.acknowledged)
            deliveries.forget(settlement.acknowledged)
        }
        for (message, wait) in settlement.later { try await source.queue.extend([message], by: wait) }
    }
}
