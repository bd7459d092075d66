import ArgumentParser
import Configuration
import Foundation
import HTTPTransport
import Manifests
import ObjectStores
import Operations
import ReplicationModel
import Synchronization
import Vault

/// What every command needs: environment, clock, console, transport, signals.
struct CommandContext {
    let environment = ProcessInfo.processInfo.environment
    let time: any Timekeeper = SystemTime()
    private(set) var console: Console
    let interruption: Interruption
    let transport: CurlTransport
    let credentials: CloudCredentials
    let passphrases: Passphrases
    private let verbose: Bool

    /// - Parameter log: how talk is written, where the configuration says that it is for programs.
    init(verbose: Bool = false, log: LogSettings? = nil) {
        let terminal = Console(environment: ProcessInfo.processInfo.environment)
        if let log, log.format == .json {
            self.init(verbose, Console(log: ServiceLog(log, time: SystemTime()) { terminal.say($0) }), Interruption())
        } else {
            self.init(verbose, terminal, Interruption())
        }
    }

    /// Of the daemon: talk goes to the log, and nobody is there to be asked.
    init(daemon log: ServiceLog) {
        self.init(true, Console(log: log), Interruption(isDaemon: true))
    }

    private init(_ verbose: Bool, _ console: Console, _ interruption: Interruption) {
        self.verbose = verbose
        self.console = console
        self.interruption = interruption
        transport = CurlTransport()
        credentials = CloudCredentials(environment: environment, transport: transport, time: time)
        passphrases = Passphrases(
            environment: environment, console: console, interruption: interruption,
            keyServices: KeyServices(
                environment: environment, transport: transport, time: time, credentials: credentials))
    }

    /// The same context, which says what it has to say there: what several pairs say must not be mistaken.
    func speaking(through console: Console) -> CommandContext {
        var context = self
        context.console = console
        return context
    }

    var stores: StoreFactory { stores(over: transport) }

    var clouds: CloudAccess {
        CloudAccess(environment: environment, transport: transport, time: time, credentials: credentials)
    }

    func stores(over transport: any HTTPTransport) -> StoreFactory {
        let console = console
        let verbose = verbose
        let hasSpoken = Atomic(false)
        return StoreFactory(
            environment: environment, transport: transport, time: time, credentials: credentials,
            passphrases: passphrases
        ) { error, attempt, wait in
            if verbose {
                console.say("attempt \(attempt) failed, again in \(wait.text): \(error)")
            } else if !hasSpoken.exchange(true, ordering: .relaxed) {
                console.say("trying again, here and where else it helps (--verbose names each time): \(error)")
            }
        }
    }

    func location(_ text: String, as kind: ObjectLocation.Kind = .folder) throws(CommandFailure) -> ObjectLocation {
        do {
            return try ObjectLocation(parsing: text, as: kind, directory: FileManager.default.currentDirectoryPath)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }

    /// Runs the body of a command: signals cancel it, failures become one line on standard error and an exit code.
    /// - Parameter location: what the command is about, for errors of stores, which name no bucket.
    func run(about location: String? = nil, _ body: @escaping @Sendable () async throws -> Int32) async throws -> Never
    {
        let task = Task { try await body() }
        interruption.onSignal { task.cancel() }
        do {
            let code = try await task.value
            guard code == 0, console.dataFailure != 0 else { throw ExitCode(code) }
            throw CommandFailure(.partial, "standard output: \(String(cString: strerror(console.dataFailure)))")
        } catch let code as ExitCode {
            throw code
        } catch {
            if let code = interruption.exitCode { throw ExitCode(code) }
            if let error = error as? ValidationError { throw error }
            if let failure = error as? ConfigurationFailure {
                for line in failure.lines { console.error(line) }
                throw ExitCode(ExitStatus.configuration.rawValue)
            }
            let failure = CommandContext.failure(error, location)
            console.error(failure.description)
            throw ExitCode(failure.status.rawValue)
        }
    }

    static func failure(_ error: any Error, _ location: String?) -> CommandFailure {
        switch error {
        case let failure as CommandFailure: failure
        case let error as StoreError:
            CommandFailure(ExitStatus(error.code), location.map { "\(ObjectKey($0)): \(error)" } ?? "\(error)")
        case let error as VaultError:
            CommandFailure(ExitStatus(error), location.map { "\(ObjectKey($0)): \(error)" } ?? "\(error)")
        case let error as ManifestError: CommandFailure(ExitStatus(error), error.message)
        default: CommandFailure(.internalError, "\(error)")
        }
    }
}
