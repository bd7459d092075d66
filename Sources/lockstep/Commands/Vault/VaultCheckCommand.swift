import ArgumentParser
import ObjectStores
import ReplicationModel
import Synchronization
import Vault

/// `--read-data`: all packs, or the N-th of T shares of them.
struct DataShareArgument: ExpressibleByArgument, Hashable {
    let share: VaultCheck.DataShare

    private static let maxShares = 10_000

    init?(argument: String) {
        if argument == "all" {
            share = .all
            return
        }
        let fields = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard fields.count == 2, let number = Int(fields[0]), let count = Int(fields[1]),
            (1...Self.maxShares).contains(count), (1...count).contains(number)
        else { return nil }
        share = .share(number: number, count: count)
    }

    /// The option needs no value, as a flag needs none; the parser knows no such options.
    static func completed(_ arguments: [String]) -> [String] {
        arguments.indices.map { index in
            let next = index + 1 < arguments.count ? arguments[index + 1] : ""
            return arguments[index] == "--read-data" && Self(argument: next) == nil
                ? "--read-data=all" : arguments[index]
        }
    }
}

/// `lockstep vault check LOCATION`: whether a vault is whole.
struct VaultCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says whether a vault is whole, and if not, which objects of which snapshots that costs.",
        discussion: """
            Without further options roots, index and snapshots are read, and whether every object has all its chunks in packs that are there and long enough.
            --read-data reads the packs too, opens every record and compares every object's BLAKE3; with 1/7 on Monday to 7/7 on Sunday all of
            them in a week. --keyless needs no key: it finds what accidents change, and neither what is missing nor
            who changes objects on purpose. Nothing is changed.

            EXAMPLES
              lockstep vault check gs://backups/models
              lockstep vault check gs://backups/models --read-data=1/7
              lockstep vault check gs://backups/models --keyless

            EXIT CODES
              0 whole · 4 damaged or incomplete · 3 could not finish · 6 an older state was put back · 75 try again later · 78 wrong key, no vault
            """)

    @OptionGroup var vault: VaultArguments
    @Option(help: ArgumentHelp("Read all packs, or the N-th of T shares of them.", valueName: "n/t"))
    var readData: DataShareArgument?
    @Flag(help: "Compare what is stored with its checksums only; needs no key.")
    var keyless = false
    @Flag(
        help: ArgumentHelp(
            """
            Set damaged and missing packs aside: their chunks no longer count as present, so that a sync of the same objects \
            (--repair-from, --checksum) stores them again. Deletes nothing.
            """))
    var quarantine = false
    @Flag(help: "One JSON object a line, the summary last.")
    var json = false
    @Flag(help: "No progress line.")
    var noProgress = false

    func validate() throws {
        if keyless, readData != nil { throw ValidationError("--keyless reads everything: not with --read-data") }
        if keyless, quarantine {
            throw ValidationError("setting packs aside needs a key: not --quarantine with --keyless")
        }
        if keyless, vault.root.atLeast != nil {
            throw ValidationError("roots are read with a key: not --at-least with --keyless")
        }
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.check(context) }
    }

    private func check(_ context: CommandContext) async throws -> Int32 {
        let place = try vault.place(context)
        let progress = Mutex<VaultCheckProgress?>(nil)
        let reporter = Task {
            guard !noProgress, !json else { return }
            await VaultCheckReporter(console: context.console, time: context.time) { progress.withLock { $0 } }.run()
        }
        let report: VaultCheckReport
        do {
            report = try await look(place, context) { now in progress.withLock { $0 = now } }
        } catch {
            reporter.cancel()
            await reporter.value
            let failure =
                (error as? VaultError).map { CommandFailure($0, at: place.location) } ?? error as? CommandFailure
            guard let failure, failure.vault == .damaged || failure.vault == .missing else { throw error }
            // Nothing can be said of the rest, and of the vault this much: it is damaged.
            throw CommandFailure(.drift, failure.description)
        }
        reporter.cancel()
        await reporter.value
        show(report, context.console)
        if quarantine { try await setAside(report, context) }
        return (report.isSound ? ExitStatus.ok : .drift).rawValue
    }

    private func setAside(_ report: VaultCheckReport, _ context: CommandContext) async throws {
        let packs = Set(report.findings.map(\.object).filter { $0.hasPrefix(VaultName.packPrefix) })
        guard !packs.isEmpty else { return }
        let handle = try await vault.unlock(context, for: .writing)
        let count = try await Quarantine(handle).setAside(packs)
        context.console.say("\(Format.count(count)) of \(Format.count(packs.count)) damaged packs newly set aside")
    }

    private func look(
        _ place: PairRequest.Place, _ context: CommandContext,
        _ progress: @escaping @Sendable (VaultCheckProgress) -> Void
    ) async throws -> VaultCheckReport {
        guard !keyless else {
            var connection = place.connection
            connection.vault = VaultAccess()
            let found = try await context.stores.find(place.location, connection, for: .reading)
            return try await VaultCheck.keyless(found.store, progress: progress)
        }
        let handle = try await vault.unlock(context, for: .reading)
        return try await VaultCheck(handle).run(VaultCheck.Options(data: readData?.share ?? .none), progress: progress)
    }

    private func show(_ report: VaultCheckReport, _ console: Console) {
        for finding in report.findings {
            if json { console.data(VaultEvent(finding)) } else { for line in finding.lines { console.data(line) } }
        }
        if json {
            console.data(VaultEvent("check", summary: VaultCheckJSON(report, keyless: keyless)))
        } else {
            for line in report.lines(keyless: keyless) { console.data(line) }
        }
    }
}
