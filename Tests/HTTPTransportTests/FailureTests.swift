import Glibc
import HTTPTransport
import Testing

/// What a caller learns when no complete reply comes.
@Suite struct FailureTests {
    private func failure(
        of text: String, reset: Bool = false, timeouts: HTTPTimeouts = HTTPTimeouts(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> HTTPFailure {
        let server = try ScriptedServer { connection in
            _ = try connection.readRequest()
            try connection.write(text)
            if reset { connection.resetOnClose() }
        }
        let request = HTTPRequest(.get, server.url + "/key?X-Amz-Signature=secret", timeouts: timeouts)
        let failure = try await HTTPTransportTests.failure(request, sourceLocation: sourceLocation)
        #expect(failure.message.hasPrefix("127.0.0.1:\(server.port): "))
        #expect(!failure.message.contains("secret") && !failure.message.contains("key"))
        return failure
    }

    @Test(arguments: [
        BadReply("no body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        BadReply("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        BadReply("half an error body", "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nhalf"),
        BadReply("no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        BadReply("half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
        BadReply("half a field", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-half: ye"),
        BadReply("no end of the head", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
    ])
    func aShortReplyIsTruncated(reply: BadReply) async throws {
        let failure = try await failure(of: reply.text)
        #expect(failure.code == .truncated, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
    }

    @Test(arguments: [
        BadReply("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        BadReply("binary", "\0\u{1}\u{2}garbage without any line end, longer than a status line could be"),
        BadReply("no status", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
        BadReply("length in words", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        BadReply("negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        BadReply("bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n"),
        BadReply("folded field", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-a: 1\r\n folded\r\n\r\n"),
        BadReply("a long field", "HTTP/1.1 200 OK\r\nx-long: \(String(repeating: "v", count: 200_000))\r\n\r\n"),
        BadReply("many fields", "HTTP/1.1 200 OK\r\n\(String(repeating: "x: \(longValue)\r\n", count: 400))\r\n"),
    ])
    func nonsenseIsAProtocolViolation(reply: BadReply) async throws {
        let failure = try await failure(of: reply.text)
        #expect(failure.code == .protocolViolation, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
    }

    @Test(arguments: [
        BadReply("nothing", ""),
        BadReply("half a status line", "HTTP/1.1 20"),
        BadReply("only an interim reply", "HTTP/1.1 100 Continue\r\n\r\n"),
    ])
    func aConnectionThatClosesWithoutAReplyIsAReset(reply: BadReply) async throws {
        let failure = try await failure(of: reply.text)
        #expect(failure.code == .reset, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
    func aResetIsAReset(text: String) async throws {
        let failure = try await failure(of: text, reset: true)
        // The bytes before a reset may be lost with it, or arrive.
        #expect(failure.code == .reset, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
    }

    /// A request whose body never arrived whole has no effect.
    @Test func anUploadCutInTheMiddleWasNotProcessed() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            _ = try connection.read(1 << 20)
            connection.resetOnClose()
        }
        let request = HTTPRequest(.put, server.url, body: .bytes(pattern(64 << 20)))
        let failure = try await HTTPTransportTests.failure(request)
        #expect(failure.code == .reset, "\(failure)")
        #expect(!failure.mayHaveBeenProcessed)
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
    func silenceIsAStall(text: String) async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.write(text)
            try connection.drain()
        }
        let request = HTTPRequest(.get, server.url, timeouts: HTTPTimeouts(stall: .milliseconds(150)))
        let failure = try await HTTPTransportTests.failure(request)
        #expect(failure.code == .stalled, "\(failure)")
        #expect(failure.mayHaveBeenProcessed)
    }

    @Test func aServerThatStopsReadingIsAStall() async throws {
        let mayEnd = Event()
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            let semaphore = Semaphore()
            Task {
                await mayEnd.wait()
                semaphore.signal()
            }
            semaphore.wait()
        }
        let request = HTTPRequest(
            .put, server.url, body: .bytes(pattern(64 << 20)), timeouts: HTTPTimeouts(stall: .milliseconds(150)))
        let failure = try await HTTPTransportTests.failure(request)
        mayEnd.set()
        #expect(failure.code == .stalled, "\(failure)")
        #expect(!failure.mayHaveBeenProcessed)
    }

    /// Slow is not stalled, however long it takes all together.
    @Test func aTrickleIsProgress() async throws {
        let server = try ScriptedServer { connection in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
            for _ in 0..<12 {
                usleep(50_000)
                try connection.write("x")
            }
        }
        let request = HTTPRequest(.get, server.url, timeouts: HTTPTimeouts(stall: .milliseconds(400)))
        #expect(try await send(request).get().body.count == 12)
    }

    @Test func aClosedPortIsAFailedConnect() async throws {
        let port = try ScriptedServer(accepting: false).port
        let request = HTTPRequest(.put, "http://127.0.0.1:\(port)/", body: .text("x"))
        let failure = try await HTTPTransportTests.failure(request)
        #expect(failure.code == .connect)
        #expect(failure.message.contains("127.0.0.1:\(port)"))
        #expect(!failure.mayHaveBeenProcessed)
    }

    /// Nobody accepts and the kernel's queue is full: the connection is never made.
    @Test func aConnectThatTakesTooLongFails() async throws {
        let server = try ScriptedServer(backlog: 0, accepting: false)
        let fillers = (0..<2).map { _ in
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = ScriptedServer.loopback(port: server.port)
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            return filler
        }
        defer { fillers.forEach { close($0) } }
        let timeouts = HTTPTimeouts(connect: .milliseconds(200), stall: .seconds(20))
        let failure = try await HTTPTransportTests.failure(HTTPRequest(.get, server.url, timeouts: timeouts))
        #expect(failure.code == .connect, "\(failure)")
        #expect(!failure.mayHaveBeenProcessed)
    }

    @Test func anUnknownHostIsNotResolved() async throws {
        let failure = try await HTTPTransportTests.failure(HTTPRequest(.get, "http://bucket.invalid/key?secret"))
        #expect(failure.code == .unknownHost, "\(failure)")
        #expect(failure.message.contains("bucket.invalid") && !failure.message.contains("secret"))
        #expect(!failure.mayHaveBeenProcessed)
    }
}

private let longValue = String(repeating: "v", count: 400)

struct BadReply: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String

    init(_ description: String, _ text: String) {
        testDescription = description
        self.text = text
    }
}
