import NIOCore
import NIOHTTP1
import NIOPosix

/// The HTTP APIs of S3, Google Cloud Storage and Azure Blob Storage on loopback.
///
/// One event loop on one thread serves all ports: storage needs no lock, and a benchmark's server costs one core.
package final class CloudSim: Sendable {
    /// Where one cloud is reached.
    package struct Service: Sendable {
        package let endpoint: String
        package let port: Int
    }

    package let configuration: SimConfiguration
    package let s3: Service
    package let gcs: Service
    package let azure: Service
    package let control: Service
    /// The active fault rules; may be changed while requests run.
    package var faults: FaultPlan { core.faults }

    private let group: MultiThreadedEventLoopGroup
    private let core: ServerCore
    private let channels: [any Channel]

    private init(
        configuration: SimConfiguration, group: MultiThreadedEventLoopGroup, core: ServerCore, channels: [any Channel]
    ) {
        self.configuration = configuration
        self.group = group
        self.core = core
        self.channels = channels
        let services = channels.map { channel in
            let port = channel.localAddress?.port ?? 0
            return Service(endpoint: "http://127.0.0.1:\(port)", port: port)
        }
        s3 = services[0]
        gcs = services[1]
        azure = services[2]
        control = services[3]
    }

    /// Binds all ports; requests are answered when it returns.
    package static func start(_ configuration: SimConfiguration = SimConfiguration()) async throws -> CloudSim {
        let core = try ServerCore(configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            var channels: [any Channel] = []
            let ports: [(ServerCore.Port, Int)] = [
                (core.ports[.s3]!, configuration.s3Port), (core.ports[.gcs]!, configuration.gcsPort),
                (core.ports[.azure]!, configuration.azurePort), (core.controlPort, configuration.controlPort),
            ]
            for (port, number) in ports {
                let channel = try await bind(group, core, port, number)
                channels.append(channel)
                let endpoint = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)"
                try await group.any().submit { port.services?.endpoint = endpoint }.get()
            }
            return CloudSim(configuration: configuration, group: group, core: core, channels: channels)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
    }

    private static func bind(
        _ group: MultiThreadedEventLoopGroup, _ core: ServerCore, _ port: ServerCore.Port, _ number: Int
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2 << 10, initial: 16 << 10, maximum: 256 << 10)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        HTTPResponseEncoder(),
                        ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                        ConnectionHandler(server: core, port: port),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: number).get()
    }

    /// How many requests each operation of a cloud has received.
    package func requests(_ cloud: Cloud) -> [String: Int] {
        core.counters.snapshot()[cloud] ?? [:]
    }

    package func resetRequests() {
        core.counters.reset()
    }

    /// Runs `work` on the event loop with one cloud's storage, for tests that look at or change what is stored.
    package func withStorage<Result: Sendable>(
        _ cloud: Cloud, _ work: @escaping @Sendable (CloudStorage) throws -> Result
    ) async throws -> Result {
        let core = core
        return try await group.any().submit { try work(core.ports[cloud]!.services!.storage) }.get()
    }

    package func createBucket(_ cloud: Cloud, _ name: String) async throws {
        try await onLoop { try $0.control.createBucket(cloud, name, region: nil) }
    }

    /// Makes `count` objects `prefix00000000`… of `size` bytes whose content follows from their names and `seed`.
    package func populate(
        _ cloud: Cloud, bucket: String, prefix: String = "", count: Int, size: Int, seed: UInt64 = 0
    ) async throws {
        try await onLoop {
            try $0.control.populate(cloud, bucket: bucket, prefix: prefix, count: count, size: size, seed: seed)
        }
    }

    /// Stores one object with the bytes given, without HTTP.
    package func put(_ cloud: Cloud, bucket: String, key: String, bytes: [UInt8]) async throws {
        try await onLoop { try $0.control.put(cloud, bucket: bucket, key: key, bytes: bytes) }
    }

    /// The bytes of a stored object, or nil when there is none.
    package func bytes(_ cloud: Cloud, bucket: String, key: String) async throws -> [UInt8]? {
        try await onLoop { try $0.control.bytes(cloud, bucket: bucket, key: key) }
    }

    /// Sets the server's clock to real time plus `seconds`.
    package func setClockOffset(seconds: Int) async throws {
        try await onLoop { $0.clock.offsetNanoseconds = Int64(seconds) * 1_000_000_000 }
    }

    /// Sets the server's clock to `time`; it runs on from there.
    package func setTime(_ time: SimTime) async throws {
        try await onLoop { core in
            core.clock.offsetNanoseconds = 0
            core.clock.offsetNanoseconds = time.nanoseconds - core.clock.now.nanoseconds
        }
    }

    package func setStorageClass(
        _ cloud: Cloud, bucket: String, key: String, storageClass: String, archived: Bool
    ) async throws {
        try await onLoop {
            try $0.control.setStorageClass(
                cloud, bucket: bucket, key: key, storageClass: storageClass, archived: archived)
        }
    }

    private func onLoop<Result: Sendable>(
        _ work: @escaping @Sendable (ServerCore) throws -> Result
    ) async throws -> Result {
        let core = core
        return try await group.any().submit { try work(core) }.get()
    }

    /// Closes all ports and connections; stored objects on disk stay.
    package func stop() async throws {
        for channel in channels { try await channel.close().get() }
        try await group.shutdownGracefully()
        core.close()
    }
}
