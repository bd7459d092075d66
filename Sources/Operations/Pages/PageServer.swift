import NIOCore
import NIOPosix

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

/// Serves pages over HTTP/1.1: GET and HEAD of a few paths, without bodies in requests. Built for strangers: connections
/// (`PageConnections`), their time (`PageConnection`) and the bytes of a request's head are limited (80 KiB, by the parser).
package final class PageServer: Sendable {
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
        let connections = PageConnections()
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try PageConnection.add(to: channel, among: connections, page: page)
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
