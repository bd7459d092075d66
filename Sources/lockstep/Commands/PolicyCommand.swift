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
            What the configuration file says of a pair takes the place of the flags.

            EXAMPLES
              lockstep policy s3://models gs://models-replica --delete
              lockstep policy s3://models/release s3://backup --for sync --side target > policy.json
              lockstep policy az://account/data vault+s3://backups/data --json
              lockstep policy models --config lockstep.yaml
            """)

    enum Side: String, ExpressibleByArgument, CaseIterable {
        case source, target
    }

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
    @Flag(help: "What runs delete is not kept.")
    var permanentDelete = false
    @Flag(help: "Runs copy unchanged ranges of large objects inside the target.")
    var delta = false
    @Option(help: ArgumentHelp("The key that the source's objects are encrypted with.", valueName: "key"))
    var sourceKey: [String] = []
    @Option(help: ArgumentHelp("The key that the target's objects are encrypted with.", valueName: "key"))
    var targetKey: [String] = []
    @Option(help: ArgumentHelp("The queue that tells of changes at the source.", valueName: "queue"))
    var events: String?
    @Option(help: "Only this side, and only its documents.")
    var side: Side?
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
        let uses = try uses(context)
        var policies: [(side: PolicyUse.Side, location: ObjectLocation, policy: Policy)] = []
        for use in uses where side == nil || side?.rawValue == use.side.rawValue {
            policies.append((use.side, use.location, try Policy(for: use)))
        }
        let output = PolicyOutput(console: context.console)
        if json {
            try output.writeJSON(policies)
        } else if side != nil {
            policies.forEach { output.writeDocuments($0.policy) }
        } else {
            policies.forEach { output.write($0.side, $0.location, $0.policy) }
        }
        return ExitStatus.ok.rawValue
    }

    func validate() throws {
        guard (1...2).contains(places.count) else {
            throw ValidationError("name a source and a target, or one pair of the configuration file")
        }
        if places.count == 2, file.config != nil {
            throw ValidationError("--config is for one pair of the configuration file, not for a source and a target")
        }
        if places.count == 1, let flag = pairFlags.first {
            throw ValidationError("\(flag) is for a source and a target; of a pair the configuration file says it")
        }
    }

    /// What is said of the pair itself.
    private var pairFlags: [String] {
        [
            (delete, "--delete"), (permanentDelete, "--permanent-delete"), (delta, "--delta"),
            (!sourceKey.isEmpty, "--source-key"), (!targetKey.isEmpty, "--target-key"), (events != nil, "--events"),
        ].filter(\.0).map(\.1)
    }

    private func uses(_ context: CommandContext) throws -> [PolicyUse] {
        try pair(context).uses(tasks?.tasks ?? Set(PolicyUse.Task.allCases))
    }

    private func pair(_ context: CommandContext) throws -> PolicyPair {
        guard places.count == 2 else {
            let pairs = try ConfigurationFile.load(file.config, context.environment).pairs(places)
            return PolicyPair(of: pairs[0].pair)
        }
        var pair = PolicyPair(source: try context.location(places[0]), target: try context.location(places[1]))
        pair.deletes = delete
        pair.keepsDeleted = !permanentDelete
        pair.delta = delta
        pair.sourceKeys = sourceKey
        pair.targetKeys = targetKey
        pair.queue = events
        return pair
    }
}
