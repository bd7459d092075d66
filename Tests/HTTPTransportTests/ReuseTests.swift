import HTTPTransport
import Testing

/// Kept connections, and what happens when one of them is dead.
@Suite struct ReuseTests {
    @Test func requestsShareAConnection() async throws {
        let server = try ScriptedServer { connection in
            while true {
                _ = try connection.readRequest()
                try connection.reply([1])
            }
        }
        let transport = CurlTransport.single()
        for _ in 0..<5 {
            #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
        }
        #expect(transport.statistics.connections == 1)
        #expect(transport.statistics.requests == 5)
        #expect(transport.statistics.bytesReceived == 5)
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"])
    func aConnectionThatTheServerClosesIsNotKept(head: String) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.write(head + "Content-Length: 1\r\n\r\nx")
        }
        let transport = CurlTransport.single()
        for _ in 0..<3 {
            #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
        }
        #expect(transport.statistics.connections == 3)
    }

    /// Closed while it idled: nothing was sent on it, so any request goes to a new one.
    @Test(arguments: [HTTPMethod.get, .put, .post, .delete], [0, 10, 100_000])
    func aConnectionThatDiedWhileIdleIsReplaced(method: HTTPMethod, count: Int) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.reply()
        }
        let transport = CurlTransport.single()
        let body = HTTPBody.bytes(method == .get ? [] : pattern(count))
        for index in 0..<3 {
            let response = try await send(HTTPRequest(method, server.url, body: body), over: transport).get()
            #expect(response.status == 200)
            await server.connections[index].isClosed.wait()
        }
        #expect(server.connections.map(\.requests.count) == [1, 1, 1])
    }

    /// Reads may be asked again without anybody noticing.
    @Test(arguments: [HTTPMethod.get, .head])
    func aReadOnADyingConnectionIsRepeated(method: HTTPMethod) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.reply()
            if connection.number == 0 { _ = try connection.readRequest() }
        }
        let transport = CurlTransport.single()
        for _ in 0..<2 {
            #expect(try await send(HTTPRequest(method, server.url), over: transport).get().status == 200)
        }
        #expect(server.connections.map(\.requests.count) == [2, 1])
    }

    /// The server may have acted on a write that it read whole: it is reported, not repeated.
    @Test(arguments: [HTTPMethod.put, .post, .patch, .delete], [0, 10, 100_000])
    func aWriteOnADyingConnectionIsNotRepeated(method: HTTPMethod, count: Int) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.reply()
            if connection.number == 0 { _ = try connection.readRequest() }
        }
        let transport = CurlTransport.single()
        #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
        let request = HTTPRequest(method, server.url, body: .bytes(pattern(count)))
        let failure = try await failure(request, over: transport)
        #expect(failure.code == .reset, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
        // A connection for the repetition may have been made; no request went over it.
        #expect(server.connections.reduce(0) { $0 + $1.requests.count } == 2)
        #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
    }

    /// A body that did not arrive whole is sent again from its start, on a new connection.
    @Test func aWriteCutOnADyingConnectionStartsAgain() async throws {
        let body = pattern(64 << 20)
        let server = try ScriptedServer { connection in
            if connection.number == 0 {
                _ = try connection.readRequest()
                try connection.reply()
                _ = try connection.readHead()
                _ = try connection.read(1000)
                return connection.resetOnClose()
            }
            let arrived = try connection.readRequest().body
            try connection.reply(Array("\(arrived == body)".utf8))
        }
        let transport = CurlTransport.single()
        #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
        switch await send(HTTPRequest(.put, server.url, body: .bytes(body)), over: transport) {
        case .success(let response): #expect(response.body == Array("true".utf8))
        // Noticed while writing, not while reading: the library gives up then.
        case .failure(let failure):
            #expect(failure.code == .reset, "\(failure)")
            #expect(!failure.mayHaveBeenProcessed)
        }
    }
}
