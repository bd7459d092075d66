package import NIOCore
package import NIOHTTP1

/// One connection: a request, its answer, the next. One that asks again before it has taken its answer gets that answer only.
///
/// `@unchecked Sendable`: timers and write promises capture it; every access is on the channel's event loop.
package final class PageConnection: ChannelInboundHandler, @unchecked Sendable {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias OutboundOut = HTTPServerResponsePart

    private let connections: PageConnections
    private let page: @Sendable (String) -> Page
    private var head: HTTPRequestHead?
    private var isAnswering = false
    /// It has asked again before it took its answer.
    private var isHasty = false
    private var deadline: Scheduled<Void>?

    private init(_ connections: PageConnections, _ page: @escaping @Sendable (String) -> Page) {
        self.connections = connections
        self.page = page
    }

    /// Makes a channel a connection; on its event loop.
    package static func add(
        to channel: any Channel, among connections: PageConnections, page: @escaping @Sendable (String) -> Page
    ) throws {
        try channel.pipeline.syncOperations.addHandlers([
            HTTPResponseEncoder(), ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
            PageConnection(connections, page),
        ])
    }

    /// How long a phase may last, whatever trickles in meanwhile.
    private static func patience(in phase: PageConnections.Phase) -> TimeAmount {
        switch phase {
        case .new: .seconds(10)
        // Prometheus asks each minute at most, and over the same connection.
        case .idle: .seconds(75)
        case .answering: .seconds(30)
        }
    }

    package func channelActive(context: ChannelHandlerContext) {
        connections.enter(context.channel)
        expectEnd(of: .new, context.channel)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        connections.leave(context.channel)
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func enter(_ phase: PageConnections.Phase, _ channel: any Channel) {
        isAnswering = phase == .answering
        connections.change(channel, to: phase)
        expectEnd(of: phase, channel)
    }

    private func expectEnd(of phase: PageConnections.Phase, _ channel: any Channel) {
        deadline?.cancel()
        deadline = channel.eventLoop.scheduleTask(in: Self.patience(in: phase)) { channel.close(promise: nil) }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            guard !isAnswering else {
                isHasty = true
                return
            }
            enter(.answering, context.channel)
            answer(head, context)
        }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
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
            if isKeptAlive, !isHasty { enter(.idle, channel) } else { channel.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }
}
