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
        var needsRestart: [String] = []
    }

    /// What the process keeps from its start to its end.
    private struct Fixed {
        /// nil where the command line names an address, whatever the file says.
        var listen: ListenAddress?
        var state: String
    }

    private let option: String?
    private let listen: ListenAddress
    private let fixed: Fixed
    private let textfile: TextfileWriter
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
        fixed = Fixed(
            listen: listen == nil ? configuration.serve.listen : nil, state: Self.state(configuration, context))
        self.context = context
        self.log = log
        host = Self.hostName
        records = PairRecordStore(state: fixed.state)
        textfile = TextfileWriter(directory: configuration.metricsTextfile)
        notifier = Notifier(
            [], transport: context.transport, environment: context.environment, time: context.time,
            say: { log.warning($0) })
        manager = ServiceNotifier(environment: context.environment)
        let journal = PairJournal(records: records, textfile: textfile, log: log, time: context.time, host: host)
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
        var file = file
        // Runs and their records stay together.
        file.configuration.state = fixed.state
        let configuration = file.configuration
        let setup = try ServiceSetup(file, context: context, log: log, host: host)
        notifier.change(to: configuration.notifications.map { NotificationChannel($0) })
        textfile.change(to: configuration.metricsTextfile)
        log.change(to: configuration.log)
        supervisor.configure(setup)
    }

    /// Keys whose values in the file are not those in use.
    private func needsRestart(for configuration: Configuration) -> [String] {
        var keys: [String] = []
        if let listen = fixed.listen, listen != configuration.serve.listen { keys.append("serve.listen") }
        if Self.state(configuration, context) != fixed.state { keys.append("state") }
        return keys
    }

    private static func state(_ configuration: Configuration, _ context: CommandContext) -> String {
        configuration.state ?? StateDirectory.standardPath(environment: context.environment)
    }

    /// A bad file changes nothing but what is said of it.
    private func reload() {
        manager.reloading()
        do {
            let file = try ConfigurationFile.load(option, context.environment)
            try take(file)
            let needsRestart = needsRestart(for: file.configuration)
            reading.withLock { $0 = Reading(taken: context.time.nowSeconds(), needsRestart: needsRestart) }
            log.info("the configuration was read again and taken")
            for key in needsRestart {
                log.warning("\(file.path): \(key) has changed; what it was before is in use until a restart")
            }
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
        let reading = reading.withLock { $0 }
        let path = URL(fileURLWithPath: ConfigurationFile.path(option, context.environment)).standardizedFileURL.path
        return ServiceFacts(
            version: Lockstep.configuration.version, configurationPath: path, isConfigurationGood: reading.isGood,
            configured: reading.taken,
            needsRestart: reading.needsRestart, bufferBytes: supervisor.bufferBytes, notifications: notifier.deliveries)
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
