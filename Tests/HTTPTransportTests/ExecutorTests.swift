import HTTPTransport
import Synchronization
import Testing

/// Tasks that run on the transport's own threads.
@Suite(.timeLimit(.minutes(10))) struct ExecutorTests {
    private func answering() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while true {
                _ = try connection.readRequest()
                try connection.reply([1])
            }
        }
    }

    @Test func requestsAreSentFromTheThreadThatResumesTheirTasks() async throws {
        let server = try answering()
        let transport = CurlTransport.single()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 {
                group.addTask(executorPreference: transport.executors[0]) { [url = server.url] in
                    for _ in 0..<4 { _ = try await send(HTTPRequest(.get, url), over: transport).get() }
                    return try await send(HTTPRequest(.get, url), over: transport).get().status
                }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(transport.statistics.requests == 250)
    }

    /// A chain of jobs that never ends by itself leaves room for sockets and for other threads' requests.
    @Test func aTaskThatIsAlwaysReadyDoesNotHoldUpRequests() async throws {
        let server = try answering()
        let transport = CurlTransport.single()
        let chain = Chain()
        await withTaskGroup(of: Void.self) { group in
            for side in 0..<2 {
                group.addTask(executorPreference: transport.executors[0]) {
                    while !chain.isOver { await chain.pass(from: side) }
                }
            }
            if case .failure(let failure) = await send(HTTPRequest(.get, server.url), over: transport) {
                Issue.record("\(failure)")
            }
            chain.end()
        }
    }

    @Test func closingEndsTheRequestsOfItsTasks() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.drain()
        }
        let transport = CurlTransport.single()
        let task = Task(executorPreference: transport.executors[0]) { [url = server.url] in
            let first = await send(HTTPRequest(.get, url), over: transport)
            let second = await send(HTTPRequest(.get, url), over: transport)
            return [first, second].map { outcome -> HTTPFailure.Code? in
                if case .failure(let failure) = outcome { failure.code } else { nil }
            }
        }
        while server.connections.isEmpty { await Task.yield() }
        transport.close()
        #expect(await task.value == [.cancelled, .cancelled])
    }

    /// The system likes to give a new thread the name of the one that ended last.
    @Test func aTaskThatOutlivesItsExecutorIsResumedByWhoeverWakesIt() async throws {
        for _ in 0..<20 {
            let isWaiting = Event()
            let mayGoOn = Event()
            let old = CurlTransport.single()
            let waiting = Task(executorPreference: old.executors[0]) {
                isWaiting.set()
                await mayGoOn.wait()
                return true
            }
            await isWaiting.wait()
            old.close()
            let new = CurlTransport.single()
            await Task(executorPreference: new.executors[0]) { mayGoOn.set() }.value
            #expect(await waiting.value)
        }
    }
}

/// Two tasks that wake each other in turn.
private final class Chain: Sendable {
    private struct State {
        var waiters: [CheckedContinuation<Void, Never>?] = [nil, nil]
        var isOver = false
    }
    private let state = Mutex(State())

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Wakes the other side and waits for it.
    func pass(from side: Int) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
                if state.isOver { return [continuation] }
                // Nobody to wake: who waits goes on when the other side comes.
                guard let other = state.waiters[1 - side] else {
                    state.waiters[side] = continuation
                    return []
                }
                state.waiters[1 - side] = nil
                state.waiters[side] = continuation
                return [other]
            }
            for waiter in ready { waiter.resume() }
        }
    }

    func end() {
        let waiters = state.withLock { state in
            state.isOver = true
            defer { state.waiters = [nil, nil] }
            return state.waiters.compactMap { $0 }
        }
        for waiter in waiters { waiter.resume() }
    }
}
