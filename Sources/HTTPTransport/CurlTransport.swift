import CCurl
import Synchronization

/// HTTP/1.1 by libcurl: requests are spread over loop threads that own their connections.
///
/// Bytes go from the socket into the caller's buffer and from the caller's buffer to the socket. When `send` returns or throws, nothing touches
/// the buffer any more, also after a cancellation.
package final class CurlTransport: HTTPTransport {
    private let loops: [CurlLoop]
    private let counters: TransportCounters

    package init(_ configuration: CurlConfiguration = CurlConfiguration()) {
        Self.initialiseLibrary
        let counters = TransportCounters()
        self.counters = counters
        loops = (0..<max(configuration.loops, 1)).map { _ in CurlLoop(configuration, counters: counters) }
    }

    deinit {
        close()
    }

    package func send(
        _ request: HTTPRequest, into sink: HTTPSink
    ) async throws(HTTPFailure) -> HTTPResponse {
        let loop = reserveLoop()
        let transfer = CurlTransfer(request, into: sink, counters: counters)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.setContinuation(continuation)
                loop.start(transfer)
            }
        } onCancel: {
            loop.cancel(transfer)
        }
        if case .failure(let failure) = outcome, failure.code == .resolve, !Task.isCancelled {
            throw await HostLookup.explain(failure, of: CurlTransfer.host(of: request.url))
        }
        return try outcome.get()
    }

    /// Ends the requests that are running with `.cancelled` and stops the threads; waits for them. Later requests fail with `.cancelled`.
    package func close() {
        for loop in loops { loop.close() }
    }

    /// One executor per thread of the transport. Tasks that prefer one send their requests from its thread and are resumed on it, which
    /// saves two wake-ups of other threads per request. Such tasks must not block.
    package var executors: [any TaskExecutor] { loops }

    package var statistics: TransportStatistics { counters.snapshot }

    /// The loop that the caller runs on, else the one with the fewest requests; with one more.
    private func reserveLoop() -> CurlLoop {
        if let own = loops.first(where: { $0.isCurrent }) {
            own.load.wrappingAdd(1, ordering: .relaxed)
            return own
        }
        var best = loops[0]
        var least = Int.max
        for loop in loops {
            let load = loop.load.load(ordering: .relaxed)
            if load < least { (best, least) = (loop, load) }
        }
        best.load.wrappingAdd(1, ordering: .relaxed)
        return best
    }

    /// Once per process, and never undone: other users of the library may be in the same process.
    private static let initialiseLibrary: Void = {
        let code = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        precondition(code == CURLE_OK, "libcurl could not be initialised")
    }()
}
