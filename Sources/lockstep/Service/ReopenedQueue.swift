import HTTPStores
import ObjectStores
import Synchronization

/// A queue that is opened anew when its service refuses who asks: the secret may have been rotated.
final class ReopenedQueue: EventQueue {
    private let open: @Sendable () throws -> any EventQueue
    private let current: Mutex<any EventQueue>

    init(_ open: @escaping @Sendable () throws -> any EventQueue) throws {
        self.open = open
        current = Mutex(try open())
    }

    var name: String { current.withLock { $0.name } }

    func receive(limit: Int, wait: Duration, visibility: Duration) async throws(StoreError) -> [EventMessage] {
        try await ask { queue throws(StoreError) in
            try await queue.receive(limit: limit, wait: wait, visibility: visibility)
        }
    }

    func acknowledge(_ messages: [EventMessage]) async throws(StoreError) {
        try await ask { queue throws(StoreError) in try await queue.acknowledge(messages) }
    }

    func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError) {
        try await ask { queue throws(StoreError) in try await queue.extend(messages, by: visibility) }
    }

    /// A refused call fails; the next one asks with what the secrets are by now.
    private func ask<Answer>(
        _ body: (any EventQueue) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        let queue = current.withLock { $0 }
        do throws(StoreError) {
            return try await body(queue)
        } catch {
            guard error.code == .unauthenticated || error.code == .forbidden else { throw error }
            var refusal = error
            do {
                let opened = try open()
                current.withLock { $0 = opened }
            } catch {
                refusal.message += "; \(error)"
            }
            throw refusal
        }
    }
}
