import NIOCore
import NIOEmbedded
import Operations
import Synchronization
import Testing

/// Connections to the pages, and a clock that the test moves.
private final class Visitors {
    let loop = EmbeddedEventLoop()
    let connections = PageConnections()
    private(set) var channels: [EmbeddedChannel] = []

    @discardableResult
    func connect() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(loop: loop)
        try PageConnection.add(to: channel, among: connections) { path in
            path == "/livez" ? .text(200, "alive") : .text(404, "no such page")
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        channels.append(channel)
        return channel
    }

    /// What comes back.
    @discardableResult
    func send(_ text: String, on channel: EmbeddedChannel) throws -> String {
        try channel.writeInbound(ByteBuffer(string: text))
        var answer = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { answer += String(buffer: bytes) }
        return answer
    }
}

/// A client that takes nothing until it is told to.
private final class Dam: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private var held: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if let promise { held.append(promise) }
    }

    func open() {
        for promise in held { promise.succeed() }
        held = []
    }
}

struct PageServerTests {
    private static let request = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"

    @Test("a request is answered, and the connection serves the next")
    func answers() throws {
        let visitors = Visitors()
        let channel = try visitors.connect()
        for _ in 0..<2 {
            let answer = try visitors.send(Self.request, on: channel)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nalive\n"))
        }
        #expect(try visitors.send("GET /x?y HTTP/1.1\r\n\r\n", on: channel).hasPrefix("HTTP/1.1 404 "))
        #expect(channel.isActive)
        #expect(try visitors.send("HEAD / HTTP/1.0\r\n\r\n", on: channel).hasSuffix("\r\n\r\n"))
        #expect(!channel.isActive)
    }

    @Test("a head that trickles in has ten seconds, however often something comes")
    func slowHead() throws {
        let visitors = Visitors()
        let channel = try visitors.connect()
        for byte in "GET /livez" {
            #expect(channel.isActive)
            try visitors.send(String(byte), on: channel)
            visitors.loop.advanceTime(by: .seconds(1))
        }
        #expect(!channel.isActive)
    }

    @Test("a connection that has its answer may be silent for longer than a scraper is")
    func idle() throws {
        let visitors = Visitors()
        let channel = try visitors.connect()
        try visitors.send(Self.request, on: channel)
        visitors.loop.advanceTime(by: .seconds(61))
        #expect(try visitors.send(Self.request, on: channel).contains("alive"))
        visitors.loop.advanceTime(by: .seconds(76))
        #expect(!channel.isActive)
    }

    @Test("who does not take the answer has half a minute; who asks again meanwhile gets no second one")
    func slowReader() throws {
        let visitors = Visitors()
        for isHasty in [false, true] {
            let channel = try visitors.connect()
            let dam = Dam()
            try channel.pipeline.syncOperations.addHandler(dam, position: .first)
            try visitors.send(Self.request, on: channel)
            if isHasty { try visitors.send(Self.request, on: channel) }
            visitors.loop.advanceTime(by: .seconds(29))
            #expect(channel.isActive)
            if isHasty { dam.open() } else { visitors.loop.advanceTime(by: .seconds(1)) }
            #expect(!channel.isActive)
            dam.open()
        }
    }

    @Test(
        "when there are too many, the oldest that never asked goes; when all have asked, the one that is silent for longest"
    )
    func full() throws {
        let visitors = Visitors()
        let scraper = try visitors.connect()
        try visitors.send(Self.request, on: scraper)
        for _ in 1..<PageConnections.limit { try visitors.connect() }
        for number in 1...3 {
            let next = try visitors.connect()
            #expect(!visitors.channels[number].isActive && visitors.channels[number + 1].isActive)
            #expect(try visitors.send(Self.request, on: next).contains("alive"))
        }
        #expect(scraper.isActive)
        for channel in visitors.channels where channel.isActive && channel !== scraper {
            try visitors.send(Self.request, on: channel)
        }
        try visitors.connect()
        #expect(!scraper.isActive)
        #expect(visitors.channels.count { $0.isActive } == PageConnections.limit)
    }
}
