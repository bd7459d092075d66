import HTTPTransport
import ObjectStores
import Replication
import ReplicationModel
import Synchronization

/// A transport that counts what passes through it, and notes what the replies tell of the server's clock.
final class ObservedTransport: HTTPTransport {
    struct Traffic: Sendable {
        var requests = 0
        /// Bytes of bodies.
        var sentBytes: Int64 = 0
        var receivedBytes: Int64 = 0
        /// As of the latest reply that told it.
        var clock: ServerClock?
    }

    private let base: any HTTPTransport
    private let time: any Timekeeper
    private let state = Mutex(Traffic())

    init(_ base: any HTTPTransport, time: any Timekeeper) {
        self.base = base
        self.time = time
    }

    var traffic: Traffic { state.withLock { $0 } }

    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        state.withLock {
            $0.requests += 1
            $0.sentBytes += Int64(request.body.count)
        }
        let response = try await base.send(request, into: sink)
        let local = time.now()
        let server = response.headers["date"].flatMap { CivilTime(httpDate: $0) }?.nanosecondsSince1970
        state.withLock {
            $0.receivedBytes += Int64(response.body.count + response.received)
            if let server { $0.clock = ServerClock(server: server, local: local) }
        }
        return response
    }
}
