import ArgumentParser
import Configuration
import Foundation
import ReplicationModel

/// `lockstep config check`: reads the file as `run` and `serve` do, and asks no cloud.
struct ConfigCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says everything that is wrong with the configuration file, line by line.",
        discussion: """
            Says what every run would refuse before its first request: keys and values, identities that contradict themselves, names of
            buckets, keys and queues. References to variables and files are followed, and the files that the configuration names are looked
            into; no cloud is asked. What only this machine lacks is a warning: the service may run on another one.

            EXAMPLES
              lockstep config check --config /etc/lockstep/lockstep.yaml
              lockstep config check --strict
              lockstep config check --config lockstep.yaml --json | jq '.problems[]'

            EXIT CODES
              0 nothing wrong, perhaps warnings · 78 the file cannot be read or has problems
            """)

    @OptionGroup var file: ConfigurationOptions
    @Flag(help: "One JSON object.")
    var json = false
    @Flag(help: "This is the machine that runs the pairs: what it lacks is a problem too.")
    var strict = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run { try command.check(context) }
    }

    private func check(_ context: CommandContext) throws -> Int32 {
        let path = ConfigurationFile.path(file.config, context.environment)
        do {
            let loaded = try ConfigurationFile.load(file.config, context.environment)
            let check = ConfigurationCheck(loaded, context.environment, readsFiles: true)
            let problems = check.problems + (strict ? check.warnings : [])
            guard problems.isEmpty else {
                throw ConfigurationFailure(path: path, error: ConfigurationError(problems))
            }
            let warnings = check.warnings.isEmpty ? nil : ConfigurationError(check.warnings)
            if json {
                context.console.data(try ConfigCheckLine(path, loaded.configuration, warnings).text)
            } else {
                tell(loaded, warnings.map { ConfigurationFailure(path: path, error: $0).lines } ?? [], context.console)
            }
            return ExitStatus.ok.rawValue
        } catch let failure as ConfigurationFailure where json {
            context.console.data(try ConfigCheckLine(path, failure.error).text)
            return ExitStatus.configuration.rawValue
        }
    }

    private func tell(_ file: ConfigurationFile, _ warnings: [String], _ console: Console) {
        let configuration = file.configuration
        for warning in warnings { console.warn(warning) }
        for pair in configuration.pairs {
            console.data("\(pair.name)\t\(pair.source.location)\t\(pair.target.location)")
        }
        let pairs = configuration.pairs.count == 1 ? "1 pair" : "\(configuration.pairs.count) pairs"
        let verdict = warnings.isEmpty ? "nothing wrong" : "nothing wrong but what this machine may lack"
        console.say("\(file.path): \(pairs), \(verdict)")
    }
}

/// What `--json` prints.
private struct ConfigCheckLine: Encodable {
    struct Problem: Encodable {
        var line: Int
        var column: Int
        var key: String
        var message: String
        var suggestion: String?

        init(_ problem: ConfigurationProblem) {
            line = problem.position.line
            column = problem.position.column
            key = problem.path
            message = problem.message
            suggestion = problem.suggestion
        }
    }

    struct Pair: Encodable {
        var name: String
        var source: String
        var target: String
    }

    var schema = "lockstep.config/1"
    var file: String
    var valid: Bool
    var problems: [Problem] = []
    /// That are not in `problems`.
    var further = 0
    /// What this machine lacks.
    var warnings: [Problem] = []
    var pairs: [Pair] = []

    init(_ file: String, _ configuration: Configuration, _ warnings: ConfigurationError?) {
        self.file = file
        valid = true
        self.warnings = warnings?.problems.map { Problem($0) } ?? []
        pairs = configuration.pairs.map {
            Pair(name: $0.name, source: $0.source.location.description, target: $0.target.location.description)
        }
    }

    init(_ file: String, _ error: ConfigurationError) {
        self.file = file
        valid = false
        problems = error.problems.map { Problem($0) }
        further = error.further
    }

    var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
