import ArgumentParser
import Foundation
import ReplicationModel

/// `lockstep policy SOURCE TARGET`: the rights that a pair needs, and no more, in the words of both clouds.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Prints the least rights that a pair needs, as policies of its clouds.",
        discussion: """
            Nothing is asked of a cloud. What is printed covers the tasks of --for (all of them when none is named); sync's flags say what a
            run does. For Amazon an IAM policy, for Google custom roles and conditional bindings, for Azure role definitions and
            assignments; upper-case words in them are to be filled in. --side prints the documents of one side and nothing else.
            What the configuration file says of a pair takes the place of the flags. What a pair needs besides its places has policies of its own:
            control, where its manifest goes; events, a queue of another cloud; source-key and target-key, what opens its vaults.

            EXAMPLES
              lockstep policy s3://models gs://models-replica --delete
              lockstep policy s3://models/release s3://backup --for sync --side target > policy.json
              lockstep policy az://account/data vault+s3://backups/data --json
              lockstep policy models --config lockstep.yaml
            """)

    @Argument(
        help: ArgumentHelp(
            "SOURCE and TARGET, as s3://bucket/prefix, gs://…, az://account/container/prefix, a path, vault+…; or a pair of the "
                + "configuration file.", valueName: "locations"))
    var places: [String]
    @OptionGroup var file: ConfigurationOptions
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "What is to be allowed, by commas: sync, check, sweep, doctor.", valueName: "tasks"))
    var tasks: TaskList?
    @Flag(help: "Runs delete at the target what is gone at the source.")
    var delete = false
    @Flag(help: "With --delete: what runs delete is not kept.")
    var permanentDelete = false
    @Flag(help: "Runs copy unchanged ranges of large objects inside the target.")
    var delta = false
    @Option(help: ArgumentHelp("The key that the source's objects are encrypted with.", valueName: "key"))
    var sourceKey: [String] = []
    @Option(help: ArgumentHelp("The key that the target's objects are encrypted with.", valueName: "key"))
    var targetKey: [String] = []
    @Option(help: ArgumentHelp("The queue that tells of changes at the source.", valueName: "queue"))
    var events: String?
    @Option(help: "Only this one, and only its documents.")
    var side: PolicyEntry.Name?
    @Flag(help: "One JSON object.")
    var json = false

    /// Words by commas.
    struct TaskList: ExpressibleByArgument {
        var tasks: Set<PolicyUse.Task> = []

        init?(argument: String) {
            for word in argument.split(separator: ",") {
                guard let task = PolicyUse.Task(rawValue: String(word)) else { return nil }
                tasks.insert(task)
            }
            if tasks.isEmpty { return nil }
        }
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run { try command.show(context) }
    }

    private func show(_ context: CommandContext) throws -> Int32 {
        let all = try pair(context).entries(tasks?.tasks ?? Set(PolicyUse.Task.allCases))
        let entries = all.filter { side == nil || side == $0.name }
        if let side, entries.isEmpty {
            throw CommandFailure(
                .usage,
                "--side \(side.rawValue): the pair has \(all.map(\.name.rawValue).joined(separator: ", "))")
        }
        let output = PolicyOutput(console: context.console)
        if json {
            try output.writeJSON(entries)
        } else if side != nil {
            for entry in entries {
                output.writeDocuments(entry.policy)
                // Nobody should take silence for nothing to do.
                if entry.policy.documents.isEmpty { entry.policy.notes.forEach { context.console.say($0) } }
            }
        } else {
            entries.forEach { output.write($0) }
        }
        return ExitStatus.ok.rawValue
    }

    func validate() throws {
        guard (1...2).contains(places.count) else {
            throw ValidationError("name a source and a target, or one pair of the configuration file")
        }
        if places.count == 1, places[0].contains("/") || places[0].contains(":") {
            throw ValidationError(
                "\(places[0]) is one location, and a policy is about a pair: name its source and its target "
                    + "(lockstep policy SOURCE TARGET --side target prints one side), or a pair of the configuration file"
            )
        }
        if places.count == 1, let flag = pairFlags.first {
            throw ValidationError("\(flag) is for a source and a target; of a pair the configuration file says it")
        }
        if permanentDelete, !delete {
            throw ValidationError("--permanent-delete says how --delete deletes: give both, or neither")
        }
        if let tasks = tasks?.tasks, !tasks.contains(.sync), let flag = syncFlags.first {
            throw ValidationError("\(flag) is about runs, and --for leaves sync out")
        }
    }

    /// What is said of runs.
    private var syncFlags: [String] {
        [(delete, "--delete"), (delta, "--delta"), (events != nil, "--events")].filter(\.0).map(\.1)
    }

    /// What is said of the pair itself.
    private var pairFlags: [String] {
        syncFlags
            + [
                (permanentDelete, "--permanent-delete"), (!sourceKey.isEmpty, "--source-key"),
                (!targetKey.isEmpty, "--target-key"),
            ].filter(\.0).map(\.1)
    }

    private func pair(_ context: CommandContext) throws -> PolicyPair {
        guard places.count == 2 else {
            return PolicyPair(of: try ConfigurationFile.load(file.config, context.environment).pairs(places)[0])
        }
        let named = try NamedPlaces(file, clouds: [], texts: places.map { $0 }, context)
        let source = try named.place(places[0], Connection(), cloud: nil)
        let target = try named.place(places[1], Connection(), cloud: nil)
        var pair = PolicyPair(source: source.location, target: target.location)
        pair.deletes = delete
        pair.keepsDeleted = !permanentDelete
        pair.delta = delta
        pair.sourceKeys = sourceKey
        pair.targetKeys = targetKey
        pair.queue = events
        pair.sourceVaultKey = source.connection.vault.kms
        pair.targetVaultKey = target.connection.vault.kms
        try check(pair)
        return pair
    }

    /// Refuses what would be granted nothing.
    private func check(_ pair: PolicyPair) throws(CommandFailure) {
        for (option, keys, location) in [
            ("--source-key", pair.sourceKeys, pair.source), ("--target-key", pair.targetKeys, pair.target),
        ] {
            guard let key = keys.first else { continue }
            if location.service == .file {
                throw CommandFailure(.usage, "\(option): \(location) is a directory, which no cloud encrypts")
            }
            if location.service != .s3, let problem = StoreFactory.problem(key, location.service) {
                throw CommandFailure(.usage, "\(option) \(key): \(problem)")
            }
        }
        if pair.target.isVault,
            let flag = [(delta, "--delta"), (permanentDelete, "--permanent-delete")].first(where: \.0)
        {
            throw CommandFailure(
                .usage,
                "\(flag.1) is for mirrors, and \(pair.target) is a vault, which sends only what is new and keeps snapshots"
            )
        }
        if events != nil, pair.source.isVault || pair.source.service == .file {
            throw CommandFailure(.usage, "--events: \(pair.source) tells of no changes; events are for buckets")
        }
    }
}

extension PolicyEntry.Name: ExpressibleByArgument {}
