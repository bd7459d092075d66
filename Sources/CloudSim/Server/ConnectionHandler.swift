import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One client connection: turns HTTP parts into exchanges and sends their answers, one at a time.
///
/// While an answer is being sent, or a fault makes the request wait, parts that were already read are queued and no
/// more are read, so that neither side can make memory grow.
///
/// `@unchecked Sendable`: timers capture it; every access is on the channel's event loop.
final class ConnectionHandler: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: ServerCore
    private let port: ServerCore.Port
    var context: ChannelHandlerContext!

    private(set) var exchange: Exchange?
    private var isKeepAlive = true
    private var requestHasEnded = true
    private var responseIsSent = true
    /// Set while parts must wait: an answer in progress after its request ended, or a delay of a fault.
    private var isHeld = false
    private var queue = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 4)
    private var wantsRead = false
    var outflow: Outflow?

    init(server: ServerCore, port: ServerCore.Port) {
        self.server = server
        self.port = port
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if isHeld { wantsRead = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isHeld { queue.append(part) } else { process(part) }
    }

    private func process(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(var bytes): receive(&bytes)
        case .end(let trailers): end(trailers)
        }
    }

    private func hold() { isHeld = true }

    /// Takes up the queued parts, unless one of them holds again.
    private func resume() {
        isHeld = false
        while !isHeld, let part = queue.popFirst() { process(part) }
        if !isHeld, wantsRead, context != nil {
            wantsRead = false
            context.read()
        }
    }

    /// Runs `work` after a delay, with reading held until then.
    private func holdFor(milliseconds: Int, then work: @escaping (ConnectionHandler) -> Void) {
        hold()
        let task = DelayedWork(connection: self, work: work)
        context.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) { task.run() }
    }

    // MARK: A request

    private func begin(_ head: HTTPRequestHead) {
        isKeepAlive = head.isKeepAlive
        requestHasEnded = false
        responseIsSent = false
        let request = Request(head)
        if port.frontEnd == nil || request.rawPath.hasPrefix("/_cloudsim/") {
            let exchange = Exchange(
                request: request, target: RequestTarget("Control", .other), faults: [],
                services: server.controlServices,
                connection: self, eventLoop: context.eventLoop)
            self.exchange = exchange
            server.control.handle(exchange)
            return
        }
        let frontEnd = port.frontEnd!
        let services = port.services!
        let target = frontEnd.classify(request)
        server.counters.count(frontEnd.cloud, target.operation)
        let faults = server.faults.match(frontEnd.cloud, target, method: request.method)
        let exchange = Exchange(
            request: faults.isEmpty ? request : server.requestFaults.rewritten(request, faults, server.faults),
            target: target, faults: faults, services: services, connection: self, eventLoop: context.eventLoop)
        self.exchange = exchange
        guard !faults.isEmpty else {
            frontEnd.handle(exchange)
            return
        }
        let delay = faults.reduce(0) { $0 + $1.delayMilliseconds }
        if delay > 0 {
            holdFor(milliseconds: delay) { connection in
                connection.admit(exchange)
                connection.resume()
            }
        } else {
            admit(exchange)
        }
    }

    private func admit(_ exchange: Exchange) {
        switch server.requestFaults.admit(exchange, port.frontEnd!, port.services!) {
        case .handle: port.frontEnd!.handle(exchange)
        case .answer(let response): exchange.respond(response)
        }
    }

    /// Adds the bytes of bodies to the counters.
    func count(_ exchange: Exchange, received: Int = 0, sent: Int = 0) {
        guard let cloud = port.frontEnd?.cloud else { return }
        server.counters.add(cloud, exchange.target.operation, received: received, sent: sent)
    }

    /// Lets a client that waits for permission send its body.
    func bodyIsWanted(_ exchange: Exchange) {
        guard exchange.request.expectsContinue, !requestHasEnded else { return }
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        exchange.permittedBody = true
    }

    private func receive(_ bytes: inout ByteBuffer) {
        guard let exchange else { return }
        if !exchange.faults.isEmpty, !applyRequestFaults(exchange, &bytes) { return }
        exchange.bodyCount += bytes.readableBytes
        switch exchange.consumer {
        case .none: break
        case .collecting(var collected, let limit, let then):
            exchange.consumer = .none
            guard collected.readableBytes + bytes.readableBytes <= limit else {
                then(.failure(BodyError.tooLarge(limit: limit)))
                return
            }
            collected.writeBuffer(&bytes)
            exchange.consumer = .collecting(collected, limit: limit, then)
        case .streaming(let sink, let then):
            do {
                try sink.receive(&bytes)
            } catch {
                exchange.consumer = .none
                then(.failure(error))
            }
        }
    }

    /// Returns false when the bytes are not to be delivered now.
    private func applyRequestFaults(_ exchange: Exchange, _ bytes: inout ByteBuffer) -> Bool {
        for fault in exchange.faults where exchange.direction(of: fault.rule) == .request {
            let start = exchange.bodyCount
            let end = start + bytes.readableBytes
            switch fault.rule.action {
            case .flipBit:
                let offset = fault.rule.bytes ?? (exchange.request.contentLength ?? 0) / 2
                guard start <= offset, offset < end else { continue }
                let index = bytes.readerIndex + offset - start
                bytes.setInteger(bytes.getInteger(at: index, as: UInt8.self)! ^ 1, at: index)
                server.faults.didFire(fault)
            case .resetAfterBytes:
                guard end > fault.rule.bytes ?? 0 else { continue }
                server.faults.didFire(fault)
                abort(reset: true)
                return false
            case .stallAfterBytes:
                guard end > fault.rule.bytes ?? 0 else { continue }
                server.faults.didFire(fault)
                if let milliseconds = fault.rule.milliseconds {
                    holdFor(milliseconds: milliseconds) { $0.abort(reset: false) }
                } else {
                    hold()
                }
                return false
            case .slow:
                let rate = max(1, fault.rule.bytesPerSecond ?? 1)
                holdFor(milliseconds: bytes.readableBytes * 1_000 / rate) { $0.resume() }
            default: continue
            }
        }
        return true
    }

    private func end(_ trailers: HTTPHeaders?) {
        requestHasEnded = true
        guard let exchange else { return }
        count(exchange, received: exchange.bodyCount)
        let consumer = exchange.consumer
        exchange.consumer = .none
        switch consumer {
        case .none: break
        case .collecting(let bytes, _, let then): then(.success(bytes))
        case .streaming(_, let then): then(.success(trailers))
        }
        if responseIsSent { self.exchange = nil } else { hold() }
    }

    // MARK: The answer

    /// Sends an answer with what faults made of it.
    func send(_ plan: ResponsePlan, for exchange: Exchange) {
        guard context != nil, context.channel.isActive, self.exchange === exchange else { return }
        if plan.isDropped {
            abort(reset: false)
            return
        }
        // A client that was not told to go on may or may not send its body: the connection cannot be used again.
        if exchange.request.expectsContinue && !exchange.permittedBody && !requestHasEnded { isKeepAlive = false }
        if case .close = plan.ending { isKeepAlive = false }

        var head = HTTPResponseHead(version: .http1_1, status: plan.response.status, headers: plan.response.headers)
        let isBodiless = plan.response.status == .noContent || plan.response.status == .notModified
        if !isBodiless, !plan.response.isChunked {
            head.headers.replaceOrAdd(name: "Content-Length", value: String(plan.contentLength))
        }
        if !head.headers.contains(name: "Date") { head.headers.add(name: "Date", value: server.clock.httpDate) }
        if !isKeepAlive { head.headers.add(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)

        let hasBody = exchange.request.method != "HEAD" && !isBodiless
        outflow = Outflow(plan, hasBody: hasBody)
        pump()
    }

    /// The answer's last byte is written.
    func responseDidEnd() {
        responseIsSent = true
        if !isKeepAlive {
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { [self] _ in context?.close(promise: nil) }
            return
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if requestHasEnded {
            exchange = nil
            if isHeld { resume() }
        }
    }

    /// Ends the connection without an answer.
    func abort(reset: Bool) {
        guard let context else { return }
        endExchangeUnanswered()
        if reset, let provider = context.channel as? any SocketOptionProvider {
            provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { [self] _ in
                self.context?.close(promise: nil)
            }
        } else {
            context.close(promise: nil)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        context.fireChannelWritabilityChanged()
    }

    /// Whoever waits for the body learns that the rest will not come.
    private func endExchangeUnanswered() {
        if let exchange {
            count(exchange, received: requestHasEnded ? 0 : exchange.bodyCount, sent: outflow?.offset ?? 0)
        }
        let consumer = exchange?.consumer
        exchange?.consumer = .none
        outflow = nil
        switch consumer {
        case .collecting(_, _, let then): then(.failure(BodyError.connectionClosed))
        case .streaming(_, let then): then(.failure(BodyError.connectionClosed))
        default: break
        }
        exchange = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        endExchangeUnanswered()
        queue.removeAll()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, responseIsSent else {
            context.close(promise: nil)
            return
        }
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest, headers: ["Content-Length": "0", "Connection": "close"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { [self] _ in self.context?.close(promise: nil) }
    }
}

/// Work of a connection that a timer runs; `@unchecked Sendable` because the timer runs on the connection's loop.
private final class DelayedWork: @unchecked Sendable {
    private weak var connection: ConnectionHandler?
    private let work: (ConnectionHandler) -> Void

    init(connection: ConnectionHandler, work: @escaping (ConnectionHandler) -> Void) {
        self.connection = connection
        self.work = work
    }

    func run() {
        if let connection, connection.context != nil { work(connection) }
    }
}
