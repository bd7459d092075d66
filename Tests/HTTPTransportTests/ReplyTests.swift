import Buffers
import Digests
import Glibc
import HTTPTransport
import Testing

/// What a caller gets for what a server says.
@Suite struct ReplyTests {
    private func reply(
        _ text: String, to method: HTTPMethod = .get, into sink: HTTPSink = .collect(limit: 1 << 20)
    ) async throws -> HTTPResponse {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.write(text)
        }
        return try await send(HTTPRequest(method, server.url), into: sink).get()
    }

    @Test func fieldsAreLowerCaseAndTrimmed() async throws {
        let response = try await reply(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-AMZ-Meta-A: \t one two \t\r\nETag:\"x\"\r\n"
                + "X-Empty:\r\nX-Colons: a:b:c\r\nx-twice: 1\r\nX-Twice: 2\r\nx-utf: é\r\n\r\n")
        #expect(response.headers["x-amz-meta-a"] == "one two")
        #expect(response.headers["etag"] == "\"x\"")
        #expect(response.headers["x-empty"] == "")
        #expect(response.headers["x-colons"] == "a:b:c")
        #expect(response.headers["x-utf"] == "é")
        #expect(response.headers.fields.filter { $0.name == "x-twice" }.map(\.value) == ["1", "2"])
    }

    @Test func interimRepliesAreForgotten() async throws {
        let response = try await reply(
            "HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                + "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", to: .put)
        #expect(response.status == 201)
        #expect(response.headers.fields.map(\.name) == ["content-length"])
        #expect(response.body == Array("ok".utf8))
    }

    @Test func chunkedBodiesAreJoinedAndTrailersIgnored() async throws {
        let response = try await reply(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        #expect(String(decoding: response.body, as: UTF8.self) == "hello world")
        #expect(response.headers["x-trailer"] == nil)
    }

    @Test func aBodyMayEndWithTheConnection() async throws {
        let response = try await reply("HTTP/1.1 200 OK\r\n\r\nto the end")
        #expect(String(decoding: response.body, as: UTF8.self) == "to the end")
    }

    @Test(arguments: [204, 304, 205])
    func someRepliesHaveNoBody(status: Int) async throws {
        let response = try await reply("HTTP/1.1 \(status) x\r\nContent-Length: 0\r\n\r\n")
        #expect(response.status == status)
        #expect(response.body.isEmpty)
    }

    @Test func encodedBodiesAreNotDecoded() async throws {
        let response = try await reply("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip")
        #expect(String(decoding: response.body, as: UTF8.self) == "not gzip")
    }

    @Test(arguments: [301, 307, 401, 404, 412, 500, 503])
    func everyStatusIsAReply(status: Int) async throws {
        let response = try await reply(
            "HTTP/1.1 \(status) x\r\nLocation: http://127.0.0.1:1/\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nerror",
            into: .collect(limit: 0))
        #expect(response.status == status)
        #expect(String(decoding: response.body, as: UTF8.self) == "error")
    }

    @Test func aLongErrorBodyIsCutOff() async throws {
        let body = String(repeating: "e", count: 200_000)
        let response = try await reply("HTTP/1.1 403 Forbidden\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
        #expect(response.status == 403)
        #expect(response.body.count == 64 << 10)
    }

    @Test(arguments: [1, 100, 64 << 10, 3 << 20 + 5])
    func aBufferIsFilledAndDigested(count: Int) async throws {
        let bytes = pattern(count)
        let server = try ScriptedServer { connection in
            while true {
                _ = try connection.readRequest()
                try connection.reply(bytes)
            }
        }
        let buffer = try await BufferPool(limit: 8 << 20).acquire(count)
        let transport = CurlTransport.single()
        for limit in [count, buffer.capacity, Int.max] {
            memset(buffer.base, 0, count)
            let response = try await send(
                HTTPRequest(.get, server.url), into: .buffer(buffer, limit: limit), over: transport
            ).get()
            #expect(response.received == count)
            #expect(response.body.isEmpty)
            #expect(response.digest == bytes.withUnsafeBytes { ContentDigest(of: $0) })
            #expect(buffer.slice(count).withUnsafeBytes { Array($0) } == bytes)
        }
        #expect(transport.statistics.bytesReceived == 3 * count)
    }

    @Test func anErrorLeavesTheBufferAlone() async throws {
        let buffer = try await BufferPool(limit: 1 << 20).acquire(100)
        memset(buffer.base, 7, 100)
        let response = try await reply(
            "HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\nerror", into: .buffer(buffer, limit: 100))
        #expect(response.status == 404)
        #expect(response.received == 0)
        #expect(buffer.slice(100).withUnsafeBytes { $0.allSatisfy { $0 == 7 } })
        #expect(String(decoding: response.body, as: UTF8.self) == "error")
    }

    @Test func aBodyMayFillItsLimitAndNoMore() async throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1000)
        #expect(try await reply(text, into: .collect(limit: 1000)).body.count == 1000)
        let buffer = try await BufferPool(limit: 1 << 20).acquire(2000)
        #expect(try await reply(text, into: .buffer(buffer, limit: 1000)).received == 1000)
        memset(buffer.base, 7, 2000)
        for sink in [HTTPSink.collect(limit: 999), .buffer(buffer, limit: 999)] {
            let error = await #expect(throws: HTTPFailure.self) { try await reply(text, into: sink) }
            #expect(error?.code == .bodyTooLong)
            #expect(error?.mayHaveBeenProcessed == true)
        }
        #expect(buffer.slice(2000).slice(999, 1001).withUnsafeBytes { $0.allSatisfy { $0 == 7 } })
    }

    @Test func manyFieldsAreFine() async throws {
        let fields = (0..<200).map { "x-\($0): \(String(repeating: "v", count: 400))\r\n" }.joined()
        let response = try await reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\(fields)\r\n")
        #expect(response.headers.fields.count == 201)
    }

    /// The server has seen enough before the body is there; the reply counts and the connection is not used again.
    @Test(arguments: [HTTPMethod.put, .post])
    func anEarlyRefusalIsAReply(method: HTTPMethod) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            if connection.number > 0 { return try connection.reply() }
            try connection.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied")
            try connection.drain()
        }
        let transport = CurlTransport.single()
        let request = HTTPRequest(method, server.url, body: .bytes(pattern(32 << 20)))
        let response = try await send(request, over: transport).get()
        #expect(response.status == 403)
        #expect(response.body == Array("denied".utf8))
        #expect(transport.statistics.bytesSent < 32 << 20)
        #expect(try await send(HTTPRequest(.get, server.url), over: transport).get().status == 200)
        #expect(transport.statistics.connections == 2)
    }

    /// Closing with bytes unread resets the connection; the reply is there before the reset and is read first.
    @Test func anEarlyRefusalCountsAlsoWhenTheServerHangsUp() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied")
        }
        var replies = 0
        for _ in 0..<20 {
            switch await send(HTTPRequest(.put, server.url, body: .bytes(pattern(8 << 20)))) {
            case .success(let response):
                #expect(response.status == 403)
                replies += 1
            // Only when the reset came between two looks at the socket.
            case .failure(let failure): #expect(failure.code == .reset, "\(failure)")
            }
        }
        #expect(replies >= 10)
    }

    @Test func anEarlySuccessIsNoSuccess() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            try connection.drain()
        }
        let failure = try await failure(HTTPRequest(.put, server.url, body: .bytes(pattern(32 << 20))))
        #expect(failure.code == .protocolViolation)
        #expect(failure.message.contains("of 33554432 body bytes"))
    }
}
