import Synchronization

/// How many requests of each operation each cloud has received. Safe from any thread.
package final class RequestCounters: Sendable {
    private let counts = Mutex<[Cloud: [String: Int]]>([:])

    package init() {}

    package func count(_ cloud: Cloud, _ operation: String) {
        counts.withLock { $0[cloud, default: [:]][operation, default: 0] += 1 }
    }

    package func snapshot() -> [Cloud: [String: Int]] {
        counts.withLock { $0 }
    }

    package func reset() {
        counts.withLock { $0.removeAll() }
    }
}
