package import NIOCore
package import NIOHTTP1

/// One request and its answer. Confined to the event loop.
///
/// The front end calls `collectBody` or `streamBody` (at once or never) and `respond` exactly once. Answering before
/// the body has arrived is allowed: the rest of it is read and thrown away.
package final class Exchange {
    /// With the conditional and range headers already removed when a fault says so.
    package let request: Request
    package let target: RequestTarget
    package let eventLoop: any EventLoop
    /// Faults of this request; empty nearly always.
    let faults: [ActiveFault]
    /// Scratch space of the front end, such as what authentication found out.
    package var note: Any?

    private let services: SimServices
    /// Gone when the client is: an answer that comes later goes nowhere.
    private weak var connection: ConnectionHandler?
    var consumer = BodyConsumer.none
    /// Bytes of the body seen so far.
    var bodyCount = 0
    private(set) var hasResponded = false
    private var asksForBody = false
    /// Faults that front ends have counted; each counts once per request.
    private var countedFaults: Set<Int> = []
    /// A client that waits for `100 Continue` was told to send its body.
    var permittedBody = false

    init(
        request: Request, target: RequestTarget, faults: [ActiveFault], services: SimServices,
        connection: ConnectionHandler, eventLoop: any EventLoop
    ) {
        self.request = request
        self.target = target
        self.faults = faults
        self.services = services
        self.connection = connection
        self.eventLoop = eventLoop
    }

    /// The fault with this action, if the request has one. Asking counts it as having happened where only the
    /// front end can make it happen; ask only when acting on it.
    package func fault(_ action: FaultAction) -> FaultRule? {
        guard !faults.isEmpty, let fault = faults.first(where: { $0.rule.action == action }) else { return nil }
        return fault.rule
    }

    /// Counts a fault that has had its effect, once per request, for the actions that are counted then.
    package func didFire(_ action: FaultAction) {
        for fault in faults where fault.rule.action == action && action.firesWhenApplied {
            if countedFaults.insert(fault.id).inserted { services.faults.didFire(fault) }
        }
    }

    /// Reads the whole body, at most `limit` bytes, and then calls `then` once.
    package func collectBody(limit: Int, _ then: @escaping (Result<ByteBuffer, any Error>) -> Void) {
        precondition(!asksForBody, "the body is asked for once")
        asksForBody = true
        let capacity = min(request.contentLength ?? 4_096, limit)
        consumer = .collecting(ByteBufferAllocator().buffer(capacity: capacity), limit: limit, then)
        connection?.bodyIsWanted(self)
    }

    /// Passes the body to `sink` and then calls `then` once, with the trailers of a chunked body.
    package func streamBody(to sink: any BodySink, _ then: @escaping (Result<HTTPHeaders?, any Error>) -> Void) {
        precondition(!asksForBody, "the body is asked for once")
        asksForBody = true
        consumer = .streaming(sink, then)
        connection?.bodyIsWanted(self)
    }

    /// Sends the answer.
    package func respond(_ response: Response) {
        precondition(!hasResponded, "one answer per request")
        hasResponded = true
        connection?.send(applyingFaults(to: response), for: self)
    }

    /// One page of a bucket, with the listing faults of this request applied.
    ///
    /// - Parameter token: the token the client sent, for servers that repeat it.
    package func list(_ bucket: Bucket, _ query: ListQuery, token: String?) -> FaultyListPage {
        guard !faults.isEmpty else { return FaultyListPage(page: bucket.list(query)) }
        return listWithFaults(bucket, query, token: token)
    }
}

extension Exchange {
    /// True when conditions are to be ignored; the headers are already gone, query parameters are the front end's.
    package var ignoresConditions: Bool { fault(.ignoreConditions) != nil }

    /// The headers as received, for signatures: faults remove some from `request.headers`.
    package var receivedHeaders: HTTPHeaders { request.receivedHeaders }

    var plan: FaultPlan { services.faults }
}
