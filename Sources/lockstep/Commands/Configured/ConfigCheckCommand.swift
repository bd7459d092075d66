import ArgumentParser
import Configuration
import Foundation
import ReplicationModel

/// `lockstep config check`: reads the file as `run` and `serve` do, and asks no cloud.
struct ConfigCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says everything that is wrong with the configuration file, line by line.",
        discussion: """
            References to variables and files are followed, so that what is missing is named; no cloud is asked.

            EXAMPLES
              lockstep config check --config /etc/lockstep/lockstep.yaml
              lockstep config check --config lockstep.yaml --json | jq '.problems[]'

            EXIT CODES
              0 nothing wrong · 78 the file cannot be read or has problems
            """)

    @OptionGroup var file: ConfigurationOptions
    @Flag(help: "One JSON object.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run { try command.check(context) }
    }

    private func check(_ context: CommandContext) throws -> Int32 {
        let path = ConfigurationFile.path(file.config, context.environment)
        do {
            let loaded = try ConfigurationFile.load(file.config, context.environment)
            if json {
                context.console.data(try ConfigCheckLine(path, loaded.configuration).text)
            } else {
                tell(loaded, context.console)
            }
            return ExitStatus.ok.rawValue
        } catch let failure as ConfigurationFailure where json {
            context.console.data(try ConfigCheckLine(path, failure.error).text)
            return ExitStatus.configuration.rawValue
        }
    }

    private func tell(_ file: ConfigurationFile, _ console: Console) {
        let configuration = file.configuration
        for pair in configuration.pairs {
            console.data("\(pair.name)\t\(pair.source.location)\t\(pair.target.location)")
        }
        let pairs = configuration.pairs.count == 1 ? "1 pair" : "\(configuration.pairs.count) pairs"
        console.say("\(file.path): \(pairs), nothing wrong")
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
    var pairs: [Pair] = []

    init(_ file: String, _ configuration: Configuration) {
        self.file = file
        valid = true
        pairs = configuration.pairs.map {
            Pair(name: $0.name, source: $0.source.location.description, target: $0.target.location.description)
        }
    }

    init(_ file: String, _ error: ConfigurationError) {
        self.file = file
        valid = false
        problems = error.problems.map {
            Problem(
                line: $0.position.line, column: $0.position.column, key: $0.path, message: $0.message,
                suggestion: $0.suggestion)
        }
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
