import ArgumentParser
import Configuration

/// `lockstep config …`: what there is to know about the configuration file without running anything.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Checks the configuration file, and prints the schema of its kind.",
        subcommands: [ConfigCheckCommand.self, ConfigSchemaCommand.self])
}

/// Where the configuration is.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration ($LOCKSTEP_CONFIG, else \(ConfigurationFile.standardPath)).", valueName: "file"))
    var config: String?
}

/// `lockstep config schema`
struct ConfigSchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Prints the JSON Schema of the configuration file, for editors and other programs.")

    @Flag(help: "A table for people instead, in Markdown.")
    var table = false

    func run() throws {
        print(table ? KeyReference.markdown : ConfigurationSchema.json, terminator: "")
    }
}
