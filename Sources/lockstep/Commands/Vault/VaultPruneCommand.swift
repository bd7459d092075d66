import ArgumentParser
import Configuration
import Vault

/// Which snapshots a vault keeps.
struct RetentionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Keep the last N snapshots.", valueName: "n"))
    var keepLast = 0
    @Option(help: ArgumentHelp("Keep the newest of each of the last N hours that have one.", valueName: "n"))
    var keepHourly = 0
    @Option(help: ArgumentHelp("The same of days, in UTC.", valueName: "n"))
    var keepDaily = 0
    @Option(help: ArgumentHelp("The same of weeks, from Monday.", valueName: "n"))
    var keepWeekly = 0
    @Option(help: ArgumentHelp("The same of months.", valueName: "n"))
    var keepMonthly = 0
    @Option(help: ArgumentHelp("The same of years.", valueName: "n"))
    var keepYearly = 0
    @Option(help: ArgumentHelp("Keep all that are at most so much older than the newest, e.g. 30d.", valueName: "time"))
    var keepWithin: TimeQuantity?

    func validate() throws {
        let counts = [keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly]
        guard counts.allSatisfy({ $0 >= 0 }) else { throw ValidationError("how many are kept is not less than none") }
        guard !policy.isEmpty else {
            throw ValidationError(
                "no rule says what to keep; give one at least, e.g. --keep-last 10 or --keep-daily 30")
        }
    }

    var policy: RetentionPolicy {
        RetentionPolicy(
            keepLast: keepLast, keepHourly: keepHourly, keepDaily: keepDaily, keepWeekly: keepWeekly,
            keepMonthly: keepMonthly, keepYearly: keepYearly,
            keepWithin: keepWithin?.duration.components.seconds ?? 0)
    }
}

/// `lockstep vault prune LOCATION`: takes snapshots away by rules.
struct VaultPruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Takes away all snapshots that no rule keeps; the newest complete one always stays.",
        discussion: """
            Nothing is deleted from the storage yet: lockstep vault gc does that with what no snapshot needs any more.

            EXAMPLES
              lockstep vault prune gs://backups/models --keep-daily 14 --keep-weekly 8 --keep-monthly 12 --dry-run
              lockstep vault prune gs://backups/models --keep-within 30d && lockstep vault gc gs://backups/models
            """)

    @OptionGroup var vault: VaultArguments
    @OptionGroup(title: "What is kept")
    var retention: RetentionOptions
    @Flag(name: [.customShort("n"), .long], help: "Only say what would be taken away.")
    var dryRun = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.prune(context) }
    }

    private func prune(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: dryRun ? .reading : .writing)
        let outcome = try await Pruning(handle).prune(retention.policy, dryRun: dryRun)
        outcome.show(dryRun: dryRun, json: json, console: context.console)
        return ExitStatus.ok.rawValue
    }
}

/// `lockstep vault forget LOCATION ID…`: takes these snapshots away.
struct VaultForgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Takes away the snapshots named; the newest one and the newest complete one stay.",
        discussion: """
            Nothing is deleted from the storage yet: lockstep vault gc does that with what no snapshot needs any more.

            EXAMPLES
              lockstep vault forget gs://backups/models 12 13 14
            """)

    @OptionGroup var vault: VaultArguments
    @Argument(help: "Their numbers, as vault snapshots shows them.")
    var ids: [UInt64]
    @Flag(name: [.customShort("n"), .long], help: "Only say what would be taken away.")
    var dryRun = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.forget(context) }
    }

    private func forget(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: dryRun ? .reading : .writing)
        let outcome = try await Pruning(handle).forget(Set(ids), dryRun: dryRun)
        outcome.show(dryRun: dryRun, json: json, console: context.console)
        return ExitStatus.ok.rawValue
    }
}

extension Pruning.Outcome {
    fileprivate func show(dryRun: Bool, json: Bool, console: Console) {
        let verb = dryRun ? "would remove" : "removed"
        for snapshot in removed {
            if json {
                console.data(VaultEvent(snapshot, as: dryRun ? "would-remove" : "removed"))
            } else {
                console.data("\(verb)\t\(snapshot.id)\t\(Format.time(snapshot.time * 1_000_000_000))")
            }
        }
        for kept in kept {
            if json {
                console.data(VaultEvent(kept))
            } else {
                let reasons = kept.reasons.isEmpty ? "" : "\t" + kept.reasons.joined(separator: ", ")
                console.data("kept\t\(kept.snapshot.id)\t\(Format.time(kept.snapshot.time * 1_000_000_000))" + reasons)
            }
        }
        if !json { console.say("\(verb) \(Format.count(removed.count)), kept \(Format.count(kept.count))") }
    }
}

extension VaultEvent {
    fileprivate init(_ kept: RetentionPolicy.Kept) {
        self.init(kept.snapshot, as: "kept")
        reasons = kept.reasons
    }
}
