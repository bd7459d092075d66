import Synchronization

/// What a transport has done so far.
package struct TransportStatistics: Sendable, Hashable {
    /// Connections that were established for a request.
    package var connections = 0
    /// Requests that ended, with a reply or without.
    package var requests = 0
    /// Body bytes received, of every reply.
    package var bytesReceived = 0
    /// Body bytes handed to the network.
    package var bytesSent = 0
}

/// The running sums behind `TransportStatistics`, read from any thread at any time.
final class TransportCounters: Sendable {
    private let connections = Atomic(0)
    private let requests = Atomic(0)
    private let bytesReceived = Atomic(0)
    private let bytesSent = Atomic(0)

    func received(_ count: Int) { bytesReceived.wrappingAdd(count, ordering: .relaxed) }
    func sent(_ count: Int) { bytesSent.wrappingAdd(count, ordering: .relaxed) }

    func requestEnded(newConnections: Int) {
        requests.wrappingAdd(1, ordering: .relaxed)
        connections.wrappingAdd(newConnections, ordering: .relaxed)
    }

    var snapshot: TransportStatistics {
        TransportStatistics(
            connections: connections.load(ordering: .relaxed),
            requests: requests.load(ordering: .relaxed),
            bytesReceived: bytesReceived.load(ordering: .relaxed),
            bytesSent: bytesSent.load(ordering: .relaxed))
    }
}
