import ArgumentParser
import Foundation

@main
struct Lockstep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockstep",
        abstract: "Keeps datasets and model artifacts identical in two or more clouds, and can prove it.",
        discussion: """
            EXAMPLES
              lockstep sync s3://models gs://models-replica
              lockstep check s3://models gs://models-replica
              lockstep ls az://account/container/prefix
              lockstep cat s3://models/config.json
              lockstep sync s3://models vault+gs://backups/models
            """,
        version: "0.1.0",
        subcommands: [
            SyncCommand.self, CheckCommand.self, RunCommand.self, ConfigCommand.self, SweepCommand.self,
            ServeCommand.self, DoctorCommand.self, PolicyCommand.self,
            ListCommand.self, CatCommand.self, StatCommand.self,
            ManifestCommand.self, VaultCommand.self,
        ])

    /// As the library's own, but for wrong arguments, which end with 2 as every other usage error of this program does.
    static func main() async {
        do {
            var command = try parseAsRoot(
                DataShareArgument.completed(Array(CommandLine.arguments.dropFirst())))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            Foundation.exit(ExitStatus.usage.rawValue)
        }
    }
}
