import ArgumentParser
import ReplicationModel
import Vault

/// `lockstep vault snapshots LOCATION`: the states that can be read.
struct VaultSnapshotsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots",
        abstract:
            "Lists a vault's snapshots, oldest first: number, time, objects, bytes, source, host, state, failures.",
        discussion: """
            The state is complete, or partial: a run that has not come to its end yet, or was cut short. Failures are objects that the run
            could not bring. The newest root, which stands for all of it, is said last.

            EXAMPLES
              lockstep vault snapshots gs://backups/models
              lockstep vault snapshots gs://backups/models --json | jq -r 'select(.event=="snapshot").id'
            """)

    @OptionGroup var vault: VaultArguments
    @Flag(help: "One JSON object a line, the root last.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.list(context) }
    }

    private func list(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .reading)
        let (root, hash) = try await handle.roots.newest()
        let mark = RootMark(sequence: root.sequence, hash: hash)
        if json {
            for snapshot in root.snapshots { context.console.data(VaultEvent(snapshot)) }
            context.console.data(VaultEvent(mark))
        } else {
            var table = TextTable(
                ["id", "time", "objects", "size", "source", "host", "state", "failures"], right: [0, 2, 3, 7])
            for snapshot in root.snapshots { table.add(snapshot.columns) }
            for line in table.lines where !root.snapshots.isEmpty { context.console.data(line) }
            context.console.say(
                "\(root.snapshots.count == 1 ? "1 snapshot" : "\(Format.count(root.snapshots.count)) snapshots"), root \(mark)"
            )
        }
        return ExitStatus.ok.rawValue
    }
}

/// `lockstep vault export-root LOCATION`: what somebody else keeps, to know an older state by.
struct VaultExportRootCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export-root",
        abstract: "Prints the newest root as SEQUENCE:HASH, to be kept where the vault's storage cannot reach it.",
        discussion: """
            Each machine refuses a state older than the one that it has seen last. One that has seen none, or whose memory is gone, learns
            from --at-least what there must be.

            EXAMPLES
              lockstep vault export-root gs://backups/models > root.txt
              lockstep ls vault+gs://backups/models --at-least "$(cat root.txt)"
            """)

    @OptionGroup var vault: VaultArguments

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.show(context) }
    }

    private func show(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .reading)
        let (root, hash) = try await handle.roots.newest()
        context.console.data(RootMark(sequence: root.sequence, hash: hash).description)
        return ExitStatus.ok.rawValue
    }
}

extension Snapshot {
    fileprivate var columns: [String] {
        [
            String(id), Format.time(time * 1_000_000_000), Format.count(objects), Format.bytes(bytes),
            source.isEmpty ? "-" : "\(ObjectKey(source))", host.isEmpty ? "-" : "\(ObjectKey(host))",
            isPartial ? "partial" : "complete", Format.count(failures),
        ]
    }
}
