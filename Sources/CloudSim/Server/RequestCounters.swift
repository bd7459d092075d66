import Synchronization

/// How many requests of each operation each cloud has received, and the bytes of their bodies. Safe from any thread.
package final class RequestCounters: Sendable {
    /// Bytes of bodies, also of those that broke off.
    package struct Traffic: Codable, Sendable {
        package var received = 0
        package var sent = 0
    }

    private struct State {
        var counts: [Cloud: [String: Int]] = [:]
        var traffic: [Cloud: [String: Traffic]] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func count(_ cloud: Cloud, _ operation: String) {
        state.withLock { $0.counts[cloud, default: [:]][operation, default: 0] += 1 }
    }

    package func add(_ cloud: Cloud, _ operation: String, received: Int = 0, sent: Int = 0) {
        guard received + sent > 0 else { return }
        state.withLock {
            $0.traffic[cloud, default: [:]][operation, default: Traffic()].received += received
            $0.traffic[cloud, default: [:]][operation, default: Traffic()].sent += sent
        }
    }

    package func snapshot() -> [Cloud: [String: Int]] {
        state.withLock { $0.counts }
    }

    package func traffic() -> [Cloud: [String: Traffic]] {
        state.withLock { $0.traffic }
    }

    package func reset() {
        state.withLock { $0 = State() }
    }
}
