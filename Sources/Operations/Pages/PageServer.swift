import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// What a page answers.
package struct Page: Sendable {
    package var status: Int
    package var contentType: String
    package var body: String

    package init(_ status: Int, _ contentType: String, _ body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    package static func text(_ status: Int, _ body: String) -> Page {
        Page(status, "text/plain; charset=utf-8", body + "\n")
    }
}

/// Serves pages over HTTP/1.1: GET and HEAD of a few paths, without bodies in requests. Built for strangers: connections, their time and
/// the bytes of a request's head are limited (80 KiB, by the parser).
package final class PageServer: Sendable {
    fileprivate static let maxConnections = 128
    /// From the beginning of a connection, or the end of an answer, to the end of the next answer.
    fileprivate static let patience = TimeAmount.seconds(60)

    package let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    private init(group: MultiThreadedEventLoopGroup, channel: any Channel) {
        self.group = group
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// Listens; requests are answered when it returns.
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - page: called for one path at a time, without a query.
    package static func start(
        host: String, port: Int, page: @escaping @Sendable (_ path: String) -> Page
    ) async throws -> PageServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = ConnectionCount()
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([
                            HTTPResponseEncoder(),
                            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                            PageHandler(connections: connections, page: page),
                        ])
                    }
                }
                .bind(host: host, port: port).get()
            return PageServer(group: group, channel: channel)
        } catch {
            try? await group.shutdownGracefully()
            guard let failure = error as? IOError else { throw error }
            throw Unreachable(description: String(cString: strerror(failure.errnoCode)))
        }
    }

    /// Why the address cannot be listened on.
    private struct Unreachable: Error, CustomStringConvertible {
        let description: String
    }

    /// Closes the port and all connections.
    package func stop() async {
        try? await channel.close().get()
        try? await group.shutdownGracefully()
    }
}

private final class ConnectionCount: Sendable {
    private let count = Atomic(0)

    /// False when there are too many.
    func enter() -> Bool { count.add(1, ordering: .relaxed).newValue <= PageServer.maxConnections }
    func leave() { count.subtract(1, ordering: .relaxed) }
}

/// One connection.
///
/// `@unchecked Sendable`: timers and write promises capture it; every access is on the channel's event loop.
private final class PageHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connections: ConnectionCount
    private let page: @Sendable (String) -> Page
    private var head: HTTPRequestHead?
    private var deadline: Scheduled<Void>?

    init(connections: ConnectionCount, page: @escaping @Sendable (String) -> Page) {
        self.connections = connections
        self.page = page
    }

    func channelActive(context: ChannelHandlerContext) {
        guard connections.enter() else { return context.close(promise: nil) }
        expect(context.channel)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connections.leave()
        deadline?.cancel()
        context.fireChannelInactive()
    }

    /// Closes the connection unless the next answer is out in time.
    private func expect(_ channel: any Channel) {
        deadline?.cancel()
        deadline = channel.eventLoop.scheduleTask(in: PageServer.patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What is not HTTP gets no second chance.
        if error is HTTPParserError, context.channel.isActive {
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "*", headers: ["Connection": "close"])
            send(.text(400, "this is not HTTP/1.1"), to: head, context)
        } else {
            context.close(promise: nil)
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard head.method == .GET || head.method == .HEAD else {
            return send(.text(405, "only GET and HEAD"), to: head, context, allow: "GET, HEAD")
        }
        send(page(String(head.uri.prefix { $0 != "?" && $0 != "#" })), to: head, context)
    }

    private func send(
        _ page: Page, to request: HTTPRequestHead, _ context: ChannelHandlerContext, allow: String? = nil
    ) {
        // A body that nobody wants to read ends the connection.
        let hasBody =
            request.headers.contains(name: "content-length") || request.headers.contains(name: "transfer-encoding")
        let isKeptAlive = request.isKeepAlive && !hasBody
        var headers: HTTPHeaders = [
            "Content-Type": page.contentType, "Content-Length": String(page.body.utf8.count),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
            "Content-Security-Policy":
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
            "Connection": isKeptAlive ? "keep-alive" : "close",
        ]
        if let allow { headers.add(name: "Allow", value: allow) }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: page.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: page.body)))), promise: nil)
        }
        let channel = context.channel
        let written = channel.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { [self] _ in
            if isKeptAlive { expect(channel) } else { channel.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }
}
