import ArgumentParser
import Configuration
import Foundation
import ObjectStores
import Operations
import Replication
import SQLiteManifests
import Synchronization

/// The daemon: the supervisor with the configuration, the pages and the signals around it.
final class Service: Sendable {
    private struct Reading {
        var isGood = true
        /// Seconds since 1970.
        var taken: Int64
    }

    private let option: String?
    private let listen: ListenAddress
    private let context: CommandContext
    private let log: ServiceLog
    private let host: String
    private let records: PairRecordStore
    private let notifier: Notifier
    private let manager: ServiceNotifier
    private let supervisor: Supervisor
    private let reading: Mutex<Reading>

    /// - Parameter option: `--config`, for reading it again.
    init(_ file: ConfigurationFile, option: String?, listen: ListenAddress?, context: CommandContext, log: ServiceLog) {
        let configuration = file.configuration
        self.option = option
        self.listen = listen ?? configuration.serve.listen
        self.context = context
        self.log = log
        host = Self.hostName
        records = PairRecordStore(
            state: configuration.state ?? StateDirectory.standardPath(environment: context.environment))
        notifier = Notifier(
            [], transport: context.transport, environment: context.environment, time: context.time,
            say: { log.warning($0) })
        manager = ServiceNotifier(environment: context.environment)
        let journal = PairJournal(
            records: records, textfile: configuration.metricsTextfile.map { TextfileWriter(directory: $0) }, log: log,
            time: context.time, host: host)
        supervisor = Supervisor(journal: journal, notifier: notifier, service: manager, time: context.time, log: log)
        reading = Mutex(Reading(taken: context.time.nowSeconds()))
    }

    /// Serves until a signal ends it.
    func run(_ file: ConfigurationFile) async throws -> Int32 {
        try take(file)
        let pages = ServicePages(supervisor: supervisor, records: records, time: context.time, host: host) {
            self.facts
        }
        let server: PageServer
        do {
            server = try await PageServer.start(host: listen.host, port: Int(listen.port)) { pages.page($0) }
        } catch {
            throw CommandFailure(
                .configuration,
                "cannot listen on \(listen.host):\(listen.port): \(error); name another address with --listen")
        }
        let shown = listen.host.contains(":") ? "[\(listen.host)]" : listen.host
        log.info("lockstep \(Lockstep.configuration.version) is listening on http://\(shown):\(server.port)")
        context.interruption.onReload { self.reload() }
        context.interruption.onSignal {
            self.log.info("draining: transfers under way finish or park their parts")
            self.manager.stopping(status: "draining")
            self.supervisor.drain()
        }
        manager.ready(status: status)
        await supervisor.run()
        await server.stop()
        log.info("drained")
        return ExitStatus.ok.rawValue
    }

    // MARK: Configuration

    private func take(_ file: ConfigurationFile) throws {
        let setup = try ServiceSetup(file, context: context, log: log, host: host)
        notifier.change(to: file.configuration.notifications.map { NotificationChannel($0) })
        supervisor.configure(setup)
    }

    /// A bad file changes nothing but what is said of it.
    private func reload() {
        manager.reloading()
        do {
            try take(try ConfigurationFile.load(option, context.environment))
            reading.withLock { $0 = Reading(taken: context.time.nowSeconds()) }
            log.info("the configuration was read again and taken")
        } catch {
            reading.withLock { $0.isGood = false }
            let lines = (error as? ConfigurationFailure)?.lines ?? [CommandContext.failure(error, nil).description]
            for line in lines { log.error(line) }
            log.error("the configuration was not taken; the one before stays in use")
        }
        manager.ready(status: status)
    }

    private var status: String {
        let count = supervisor.pairCount
        return (count == 1 ? "1 pair" : "\(count) pairs")
            + (reading.withLock { $0.isGood } ? "" : "; the configuration file has problems and was not taken")
    }

    private var facts: ServiceFacts {
        let reading = reading.withLock { ($0.isGood, $0.taken) }
        return ServiceFacts(
            version: Lockstep.configuration.version, isConfigurationGood: reading.0, configured: reading.1,
            bufferBytes: supervisor.bufferBytes, notifications: notifier.deliveries)
    }

    /// As the machine calls itself; nobody is asked over the network.
    static var hostName: String {
        var name = [UInt8](repeating: 0, count: 256)
        let status = name.withUnsafeMutableBytes {
            gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), 255)
        }
        guard status == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }
}
