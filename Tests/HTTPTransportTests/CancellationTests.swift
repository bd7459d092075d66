import Buffers
import Glibc
import HTTPTransport
import Testing

/// Ending requests before their time.
@Suite(.timeLimit(.minutes(10))) struct CancellationTests {
    @Test func aCancelledTaskSendsNothing() async throws {
        let server = try ScriptedServer { connection in try connection.drain() }
        let transport = CurlTransport.single()
        let task = Task { [url = server.url] in
            withUnsafeCurrentTask { $0?.cancel() }
            return await send(HTTPRequest(.get, url), over: transport)
        }
        guard case .failure(let failure) = await task.value else { return #expect(Bool(false), "a reply") }
        #expect(failure.code == .cancelled)
        #expect(!failure.mayHaveBeenProcessed)
        #expect(server.connections.isEmpty)
    }

    @Test func aBodyIsAbandonedInTheMiddle() async throws {
        let hungUp = Event()
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            try connection.write(pattern(1000))
            try connection.drain()
            hungUp.set()
        }
        let transport = CurlTransport.single()
        let buffer = try await BufferPool(limit: 4 << 20).acquire(1_000_000)
        let task = Task { [url = server.url] in
            await send(HTTPRequest(.get, url), into: .buffer(buffer, limit: 1_000_000), over: transport)
        }
        while transport.statistics.bytesReceived < 1000 { await Task.yield() }
        task.cancel()
        guard case .failure(let failure) = await task.value else { return #expect(Bool(false), "a reply") }
        #expect(failure.code == .cancelled)
        #expect(failure.mayHaveBeenProcessed)
        await hungUp.wait()
    }

    @Test func anUploadIsAbandonedInTheMiddle() async throws {
        let isCancelled = Semaphore()
        let hungUp = Event()
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            isCancelled.wait()
            // The client hangs up with a body that is longer than what the kernel holds.
            do { try connection.drain() } catch {}
            hungUp.set()
        }
        let transport = CurlTransport.single()
        let body = HTTPBody.bytes(pattern(64 << 20))
        let task = Task { [url = server.url] in await send(HTTPRequest(.put, url, body: body), over: transport) }
        while transport.statistics.bytesSent == 0 { await Task.yield() }
        task.cancel()
        let outcome = await task.value
        isCancelled.signal()
        guard case .failure(let failure) = outcome else { return #expect(Bool(false), "a reply") }
        #expect(failure.code == .cancelled)
        #expect(!failure.mayHaveBeenProcessed)
        await hungUp.wait()
    }

    /// Many at once, at every stage of their lives, each answered exactly once; buffers are written again at once.
    @Test func cancellationsRaceWithReplies() async throws {
        let bytes = pattern(100_000)
        let server = try ScriptedServer { connection in
            while true {
                _ = try connection.readRequest()
                try connection.reply(bytes)
            }
        }
        let transport = CurlTransport()
        let pool = BufferPool(limit: 32 << 20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<400 {
                group.addTask { [url = server.url] in
                    let buffer = try await pool.acquire(bytes.count)
                    let task = Task {
                        await send(HTTPRequest(.get, url), into: .buffer(buffer, limit: bytes.count), over: transport)
                    }
                    for _ in 0..<(index % 50) { await Task.yield() }
                    task.cancel()
                    switch await task.value {
                    case .success(let response): #expect(response.received == bytes.count)
                    case .failure(let failure): #expect(failure.code == .cancelled, "\(failure)")
                    }
                    memset(buffer.base, 7, bytes.count)
                    for _ in 0..<10 { await Task.yield() }
                    #expect(buffer.slice(bytes.count).withUnsafeBytes { $0.allSatisfy { $0 == 7 } })
                }
            }
            try await group.waitForAll()
        }
        #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().body == bytes)
    }

    @Test func closingEndsWhatIsRunning() async throws {
        let server = try ScriptedServer { connection in try connection.drain() }
        let transport = CurlTransport()
        let tasks = (0..<8).map { _ in
            Task { [url = server.url] in await send(HTTPRequest(.get, url), over: transport) }
        }
        while server.connections.count < 8 { await Task.yield() }
        transport.close()
        for task in tasks {
            guard case .failure(let failure) = await task.value else { return #expect(Bool(false), "a reply") }
            #expect(failure.code == .cancelled)
        }
        transport.close()
        let late = try await failure(HTTPRequest(.get, server.url), over: transport)
        #expect(late.code == .cancelled)
        #expect(!late.mayHaveBeenProcessed)
    }
}
