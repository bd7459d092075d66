import ArgumentParser
import ReplicationModel
import Vault

/// `lockstep vault diff LOCATION A B`: what two snapshots do not agree on.
struct VaultDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares two snapshots: + only in the second, - only in the first, * changed with what differs.",
        discussion: """
            Parts that the snapshots have in common are not read, so the cost is that of what differs.

            EXAMPLES
              lockstep vault diff gs://backups/models 12 latest
              lockstep vault diff gs://backups/models 2026-11-01 2026-11-08 --json | jq -r .key
            """)

    @OptionGroup var vault: VaultArguments
    @Argument(help: ArgumentHelp("A snapshot: its number, latest, or a time.", valueName: "a"))
    var before: SnapshotArgument
    @Argument(help: ArgumentHelp("Another one.", valueName: "b"))
    var after: SnapshotArgument
    @Flag(help: "One JSON object a line.")
    var json = false

    private static let memory = 64 << 20

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.compare(context) }
    }

    private func compare(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .reading)
        let root = try await handle.roots.newest().root
        let pages = PageStore(store: handle.store, keys: handle.keys, memory: Self.memory)
        let first = SnapshotTree(root: try before.choice.find(in: root.snapshots)?.tree, pages: pages)
        let second = SnapshotTree(root: try after.choice.find(in: root.snapshots)?.tree, pages: pages)
        let console = context.console
        var (added, removed, changed) = (0, 0, 0)
        try await first.differences(to: second) { difference in
            switch difference {
            case .added: added += 1
            case .removed: removed += 1
            case .changed: changed += 1
            }
            if json { console.data(VaultEvent(difference)) } else { console.data(difference.line) }
        }
        if !json {
            console.say(
                "\(Format.count(added)) added, \(Format.count(removed)) removed, \(Format.count(changed)) changed")
        }
        return ExitStatus.ok.rawValue
    }
}

extension EntryDifference {
    fileprivate var line: String {
        switch self {
        case .added(let entry): "+ \(entry.key)"
        case .removed(let entry): "- \(entry.key)"
        case .changed(_, let entry): "* \(entry.key)  \(fields.joined(separator: " "))"
        }
    }

    /// What of an object that both have is not the same.
    fileprivate var fields: [String] {
        guard case .changed(let before, let after) = self else { return [] }
        var fields: [String] = []
        if before.size != after.size { fields.append("size") }
        if before.blake3 != after.blake3 { fields.append("content") }
        if before.attributes.withoutMarks != after.attributes.withoutMarks { fields.append("attributes") }
        // Written again as it was.
        return fields.isEmpty ? ["modified"] : fields
    }
}

extension ObjectAttributes {
    /// Without what runs write down for themselves.
    fileprivate var withoutMarks: ObjectAttributes {
        var attributes = self
        attributes.userMetadata = userMetadata.filter { !$0.key.hasPrefix("lockstep_") }
        return attributes
    }
}

extension VaultEvent {
    fileprivate init(_ difference: EntryDifference) {
        self.init("difference")
        name(difference.key)
        switch difference {
        case .added(let entry):
            change = "added"
            sizeAfter = entry.size
        case .removed(let entry):
            change = "removed"
            sizeBefore = entry.size
        case .changed(let before, let after):
            change = "changed"
            fields = difference.fields
            sizeBefore = before.size
            sizeAfter = after.size
        }
    }
}
