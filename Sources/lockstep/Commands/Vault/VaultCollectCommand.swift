import ArgumentParser
import Configuration
import ReplicationModel
import Vault

/// `lockstep vault gc LOCATION`: gives back the space of what no snapshot needs.
struct VaultCollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Deletes from the storage what no snapshot needs and what crashed runs left, in safe steps.",
        discussion: """
            A first run puts packs on a list; a later one, when the grace period is over and no run has come to need them again, deletes
            them. Other runs may read and write meanwhile. Packs that are mostly garbage are stored anew without it.

            EXAMPLES
              lockstep vault gc gs://backups/models
              lockstep vault gc gs://backups/models --grace 0s --repack 80%
            """)

    @OptionGroup var vault: VaultArguments
    @Option(
        help: ArgumentHelp(
            "How long a pack stays on the list; 0s only where nobody else writes (24h).", valueName: "time"))
    var grace: TimeQuantity?
    @Option(help: ArgumentHelp("Store packs anew of which less than this share is needed (50%).", valueName: "p%"))
    var repack: PercentQuantity?
    @Flag(name: [.customShort("n"), .long], help: "Only say what would be done.")
    var dryRun = false
    @Flag(help: "One JSON object.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.collect(context) }
    }

    private func collect(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: dryRun ? .reading : .writing)
        var options = GarbageCollector.Options(isDryRun: dryRun)
        if let grace { options.grace = grace.duration.components.seconds }
        if let repack { options.repackBelow = repack.percent / 100 }
        let report = try await GarbageCollector(handle, options: options).run()
        if json {
            context.console.data(VaultEvent(report))
        } else {
            for line in report.lines { context.console.data(line) }
        }
        for pack in report.unreadable.prefix(Self.maxNamed) {
            context.console.warn("\(pack) cannot be read: it stays as it is; lockstep vault check says what that means")
        }
        return (report.unreadable.isEmpty ? ExitStatus.ok : .partial).rawValue
    }

    /// Packs that are named one by one.
    private static let maxNamed = 100
}

extension CollectionReport {
    fileprivate var lines: [String] {
        var lines: [String] = []
        func add(_ amount: Amount, _ done: String, _ wouldBeDone: String) {
            guard amount.count > 0 else { return }
            let bytes = amount.bytes > 0 ? " (\(Format.bytes(amount.bytes)))" : ""
            lines.append("\(Format.count(amount.count)) \(isDryRun ? wouldBeDone : done)\(bytes)")
        }
        if packs.count > 0 {
            lines.append(
                "\(Format.count(packs.count)) packs (\(Format.bytes(packs.bytes))), \(Format.bytes(neededBytes)) of them needed by "
                    + "\(snapshots == 1 ? "1 snapshot" : "\(Format.count(snapshots)) snapshots")")
        }
        add(repacked, "packs stored anew without their garbage", "packs would be stored anew without their garbage")
        add(condemned, "packs put on the list", "packs would be put on the list")
        if reprieved > 0 { lines.append("\(Format.count(reprieved)) packs taken off the list: they are needed again") }
        add(dropped, "packs dropped from the index", "packs would be dropped from the index")
        if deletedPacks > 0 {
            lines.append("\(Format.count(deletedPacks)) packs \(isDryRun ? "would be deleted" : "deleted")")
        }
        add(orphanPacks, "packs of ended runs deleted", "packs of ended runs would be deleted")
        add(
            orphanSegments, "index segments that do not count deleted",
            "index segments that do not count would be deleted")
        add(
            orphanPages, "snapshot pages that do not count deleted", "snapshot pages that do not count would be deleted"
        )
        if abortedUploads > 0 { lines.append("\(Format.count(abortedUploads)) unfinished uploads discarded") }
        if waiting > 0 {
            let until = waitingUntil.map { " until \(Format.time($0 * 1_000_000_000))" } ?? ""
            lines.append("\(Format.count(waiting)) packs wait on the list\(until); then run again")
        }
        if hasMore { lines.append("there is more to do: run again") }
        if lines.isEmpty { lines.append("nothing to do") }
        return lines
    }
}

/// How much a run of garbage collection found and did.
private struct CollectionJSON: Encodable {
    struct Amount: Encodable {
        var count: Int
        var bytes: Int64

        init(_ amount: CollectionReport.Amount) {
            count = amount.count
            bytes = amount.bytes
        }
    }

    var dryRun: Bool
    var root: UInt64
    var snapshots: Int
    var packs: Amount
    var neededBytes: Int64
    var condemned: Amount
    var repacked: Amount
    var movedChunks: Amount
    var waiting: Int
    var waitingUntil: String?
    var reprieved: Int
    var dropped: Amount
    var deletedPacks: Int
    var orphanPacks: Amount
    var orphanSegments: Amount
    var orphanPages: Amount
    var abortedUploads: Int
    var unreadable: [String]
    var hasMore: Bool

    init(_ report: CollectionReport) {
        dryRun = report.isDryRun
        root = report.root
        snapshots = report.snapshots
        packs = Amount(report.packs)
        neededBytes = report.neededBytes
        condemned = Amount(report.condemned)
        repacked = Amount(report.repacked)
        movedChunks = Amount(report.movedChunks)
        waiting = report.waiting
        waitingUntil = report.waitingUntil.map { Format.time($0 * 1_000_000_000) }
        reprieved = report.reprieved
        dropped = Amount(report.dropped)
        deletedPacks = report.deletedPacks
        orphanPacks = Amount(report.orphanPacks)
        orphanSegments = Amount(report.orphanSegments)
        orphanPages = Amount(report.orphanPages)
        abortedUploads = report.abortedUploads
        unreadable = report.unreadable
        hasMore = report.hasMore
    }
}

extension VaultEvent {
    fileprivate init(_ report: CollectionReport) {
        self.init("collection", summary: CollectionJSON(report))
    }
}
