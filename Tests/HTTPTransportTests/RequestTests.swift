import Buffers
import HTTPTransport
import Synchronization
import Testing

/// What reaches the server.
@Suite struct RequestTests {
    @Test func aGetHasTheCallersFieldsAndTheTransportsThree() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.reply()
        }
        let request = HTTPRequest(
            .get, server.url + "/a//b/../%2F%c3%A9/./+?x=%7e&y&z=a%20b", headers: ["x-Date": "today", "x-empty": ""])
        let response = try await send(request).get()
        #expect(response.status == 200)
        #expect(
            server.connections[0].requests == [
                "GET /a//b/../%2F%c3%A9/./+?x=%7e&y&z=a%20b HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"
                    + "Accept: */*\r\nx-date: today\r\nx-empty:"
            ])
    }

    @Test(arguments: [HTTPMethod.put, .post, .patch, .delete], [0, 1, 16 << 10, 16 << 10 + 1, 3 << 20 + 7])
    func bodiesArriveWithTheirLength(method: HTTPMethod, count: Int) async throws {
        let body = pattern(count)
        let arrived = Mutex<[UInt8]>([])
        let server = try ScriptedServer { connection in
            let request = try connection.readRequest()
            arrived.withLock { $0 = request.body }
            try connection.reply()
        }
        let response = try await send(HTTPRequest(method, server.url + "/o", body: .bytes(body))).get()
        #expect(response.status == 200)
        #expect(arrived.withLock { $0 } == body)
        let head = server.connections[0].requests[0]
        #expect(head.hasPrefix("\(method.rawValue) /o HTTP/1.1\r\n"))
        let length = Connection.field("content-length", of: head)
        #expect(length == (count == 0 && method == .delete ? nil : "\(count)"))
        for name in ["content-type", "expect", "user-agent", "accept-encoding", "transfer-encoding"] {
            #expect(Connection.field(name, of: head) == nil, "\(name) in \(head)")
        }
    }

    @Test(arguments: [10, 100_000])
    func theCallersContentTypeIsSentOnce(count: Int) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.reply()
        }
        let headers: HTTPHeaders = ["Content-Type": "text/x", "Content-Length": "7"]
        let request = HTTPRequest(.post, server.url, headers: headers, body: .bytes(pattern(count)))
        #expect(try await send(request).get().status == 200)
        let head = server.connections[0].requests[0]
        #expect(head.components(of: "content-type: text/x") == 1)
        #expect(head.lowercased().components(of: "content-length") == 1)
        #expect(Connection.field("content-length", of: head) == "\(count)")
    }

    @Test func segmentsFollowEachOther() async throws {
        let pool = BufferPool(limit: 8 << 20)
        let first = pattern(5, seed: 2)
        let second = pattern(1 << 20 + 3, seed: 3)
        let third = pattern(300_000, seed: 4)
        let slice = try await pooled(second, in: pool)
        let arrived = Mutex<[UInt8]>([])
        let server = try ScriptedServer { connection in
            let request = try connection.readRequest()
            arrived.withLock { $0 = request.body }
            try connection.reply()
        }
        let body = HTTPBody([.bytes(first), .bytes([]), .slice(slice.slice(1, slice.count - 2)), .bytes(third)])
        #expect(try await send(HTTPRequest(.put, server.url, body: body)).get().status == 200)
        #expect(arrived.withLock { $0 } == first + second[1..<(second.count - 1)] + third)
    }

    @Test func headHasNoBodyWhateverItsLengthSays() async throws {
        let server = try ScriptedServer { connection in
            for _ in 0..<2 {
                _ = try connection.readHead()
                try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
            }
        }
        let transport = CurlTransport.single()
        for _ in 0..<2 {
            let response = try await send(HTTPRequest(.head, server.url + "/o"), over: transport).get()
            #expect(response.headers["content-length"] == "12345")
            #expect(response.body.isEmpty)
        }
        #expect(transport.statistics.connections == 1)
        #expect(server.connections[0].requests.allSatisfy { $0.hasPrefix("HEAD /o HTTP/1.1\r\n") })
    }

    /// Handles are reused: nothing of a request may leak into the next one.
    @Test func differentRequestsFollowEachOtherOnOneConnection() async throws {
        let server = try ScriptedServer { connection in
            while true {
                let request = try connection.readRequest()
                let isHead = request.head.hasPrefix("HEAD")
                try connection.reply(isHead ? [] : Array("\(request.head.prefix(6))|\(request.body.count)".utf8))
            }
        }
        let transport = CurlTransport.single()
        let steps: [(HTTPMethod, Int)] = [
            (.put, 100_000), (.get, 0), (.post, 10), (.delete, 0), (.head, 0), (.patch, 20_000), (.put, 0), (.get, 0),
            (.post, 0), (.head, 0), (.put, 3), (.delete, 5), (.get, 0),
        ]
        for (method, count) in steps {
            let request = HTTPRequest(method, server.url + "/", body: .bytes(pattern(count)))
            let response = try await send(request, over: transport).get()
            let expected = method == .head ? "" : "\("\(method.rawValue) / HTTP".prefix(6))|\(count)"
            #expect(String(decoding: response.body, as: UTF8.self) == expected)
        }
        #expect(transport.statistics.connections == 1)
        #expect(transport.statistics.requests == steps.count)
    }

    @Test(arguments: ["a\r\nx-injected: 1", "a\nb", "a\0b", "a\u{7F}b"])
    func lineEndsInAFieldAreRefused(value: String) async throws {
        let failure = try await failure(HTTPRequest(.get, "http://127.0.0.1:1/", headers: ["x-a": value]))
        #expect(failure.code == .badURL)
        #expect(failure.message.contains("x-a"))
        #expect(!failure.mayHaveBeenProcessed)
    }

    @Test(arguments: [
        "", "nonsense", "http://", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://127.0.0.1:99999/", "http://a b/",
    ])
    func badURLsAreRefused(url: String) async throws {
        let failure = try await failure(HTTPRequest(.get, url))
        #expect(failure.code == .badURL)
        #expect(!failure.mayHaveBeenProcessed)
    }
}

extension String {
    func components(of part: String) -> Int { ranges(of: part).count }
}
