import ArgumentParser

@main
struct Lockstep: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lockstep",
        abstract: "Keeps datasets and model artifacts identical in two or more clouds, and can prove it.",
        version: "0.1.0",
        subcommands: [SyncCommand.self, ListCommand.self, CatCommand.self, StatCommand.self])
}
