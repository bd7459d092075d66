import ArgumentParser
import Configuration
import Manifests
import Replication

extension ReplicationOptions.ConflictPolicy: ExpressibleByArgument {}

/// How objects are compared, and what happens to those that differ.
struct ComparisonOptions: ParsableArguments {
    @Flag(help: "Compare by size alone where both sides have a key. Fast, and proves nothing.")
    var sizeOnly = false

    @Flag(help: "Ask both stores for the checksum of every object now, and read those that have none.")
    var checksum = false

    @Option(help: "For target objects that somebody changed after the last run: keep them (exit 3), or replace them.")
    var onConflict: ReplicationOptions.ConflictPolicy = .keep

    @Flag(
        help:
            "Cut changed large objects by content and copy what the target already holds inside it; upload only new bytes."
    )
    var delta = false

    @Flag(name: [.customShort("n"), .long], help: "Print what would be done; read only.")
    var dryRun = false

    var comparison: ReplicationOptions.Comparison {
        sizeOnly ? .sizeOnly : checksum ? .checksum : .versions
    }

    func validate() throws {
        if sizeOnly, checksum { throw ValidationError("--size-only and --checksum exclude each other") }
    }
}

/// Whether and how target objects that the source does not have are deleted.
struct DeletionOptions: ParsableArguments {
    @Flag(help: "Delete target objects that the source does not have, after everything else has succeeded.")
    var delete = false

    @Option(
        help: ArgumentHelp(
            "Refuse to delete more than N objects or N% of the target's objects (10,000, and 25% beyond ten).",
            valueName: "N|N%"))
    var maxDelete: [DeleteQuantity] = []

    @Option(help: "Where deleted objects are kept at the target, below a folder of the run.")
    var backupPrefix = DeletionSettings().backupPrefix

    @Flag(help: "Delete without keeping a copy at the target.")
    var permanentDelete = false

    var settings: DeletionSettings {
        DeletionSettings(
            isEnabled: delete, limits: maxDelete, backupPrefix: backupPrefix, isPermanent: permanentDelete)
    }

    func validate() throws { try Setting.refuse(settings.problems) }
}

/// What buffers and requests a command may use.
struct BufferOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Bytes per second that are read at the source, e.g. 50M.", valueName: "bytes/s"))
    var limitRate: ByteQuantity?

    @Option(help: ArgumentHelp("Bytes of all buffers (128M).", valueName: "bytes"))
    var memory: ByteQuantity?

    @Option(help: ArgumentHelp("Parts and other requests in flight at most (32).", valueName: "n"))
    var concurrency: Int?

    var settings: LimitSettings { LimitSettings(rate: limitRate, memory: memory, concurrency: concurrency) }

    func validate() throws { try Setting.refuse(settings.problems) }
}

/// Ceilings of one run.
struct LimitOptions: ParsableArguments {
    @OptionGroup var buffers: BufferOptions

    @Option(help: ArgumentHelp("Start no transfer that would exceed so many bytes (exit 8).", valueName: "bytes"))
    var maxTransfer: ByteQuantity?

    @Option(help: ArgumentHelp("Start no transfer after so long, e.g. 2h30m (exit 8).", valueName: "time"))
    var maxDuration: TimeQuantity?

    @Option(
        help: ArgumentHelp("Bytes of a part (8M); larger where the object or a store needs it.", valueName: "bytes"))
    var partSize: ByteQuantity?

    var settings: LimitSettings {
        var settings = buffers.settings
        settings.maxTransfer = maxTransfer
        settings.maxDuration = maxDuration
        settings.partSize = partSize
        return settings
    }

    func validate() throws { try Setting.refuse(settings.problems) }
}

/// Where ledgers are.
struct StateDirectoryOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Directory of the ledgers ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?
}

/// Where the pair's ledger is, and what happens when another run holds it.
struct StateOptions: ParsableArguments {
    @OptionGroup var directory: StateDirectoryOptions

    @Flag(help: "Wait for another run of this pair to end instead of exiting with 7.")
    var wait = false

    @Option(
        help: ArgumentHelp(
            "How long the pair stays reserved for a run that shows no sign of life (60s).", valueName: "time"))
    var lease: TimeQuantity?

    var settings: LeaseSettings { LeaseSettings(length: lease) }

    func validate() throws { try Setting.refuse(settings.problems) }
}

/// What is shown.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Newline-delimited JSON events on standard output, the summary last.")
    var json = false

    @Flag(name: .shortAndLong, help: "Name every object that is handled, and every retry.")
    var verbose = false

    @Flag(name: .shortAndLong, help: "Only failures and skipped keys.")
    var quiet = false

    @Flag(help: "No progress bar and no line a minute.")
    var noProgress = false

    var showsProgress: Bool { !quiet && !noProgress }

    func validate() throws {
        if verbose, quiet { throw ValidationError("--verbose and --quiet exclude each other") }
    }
}
