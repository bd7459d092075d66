import ArgumentParser
import Configuration
import Foundation
import ObjectStores
import Operations

/// `lockstep serve`: runs the pairs of the configuration file when they are due.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract:
            "Runs the pairs of the configuration file by their schedules and events, with metrics and a status page.",
        discussion: """
            Stays in the foreground and logs to standard error. SIGHUP reads the configuration again; a bad one is named and not taken.
            SIGTERM drains: nothing begins, transfers under way finish or park their parts.

            EXAMPLES
              lockstep serve
              lockstep serve --config lockstep.yaml --listen 0.0.0.0:9464
              curl -s http://127.0.0.1:9464/api/pairs | jq -r '.pairs[] | [.name, .state] | @tsv'

            EXIT CODES
              0 drained · 2 usage · 78 the configuration has problems, or the address is taken · 130/143 ended before it had drained
            """)

    @OptionGroup var file: ConfigurationOptions
    @Option(
        help: ArgumentHelp(
            "Address of the pages, instead of the file's serve.listen; port 0 takes a free one.", valueName: "host:port"
        ))
    var listen: ListenAddress?

    func run() async throws {
        let time = SystemTime()
        let environment = ProcessInfo.processInfo.environment
        let loaded: ConfigurationFile
        do {
            loaded = try ConfigurationFile.load(file.config, environment)
        } catch {
            try await CommandContext().run { throw error }
        }
        let terminal = Console(environment: environment)
        let log = ServiceLog(loaded.configuration.log, time: time) { terminal.say($0) }
        let context = CommandContext(daemon: log)
        do {
            let service = Service(loaded, option: file.config, listen: listen, context: context, log: log)
            throw ExitCode(try await service.run(loaded))
        } catch let code as ExitCode {
            throw code
        } catch {
            let failure = CommandContext.failure(error, nil)
            log.error(failure.description)
            throw ExitCode(failure.status.rawValue)
        }
    }
}

extension ListenAddress: ExpressibleByArgument {
    package init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), colon != argument.startIndex,
            let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = String(argument[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.init(host: host, port: port)
    }
}
