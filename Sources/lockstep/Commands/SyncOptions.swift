import ArgumentParser
import Manifests
import Replication
import ReplicationModel

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
    var backupPrefix: String = ReservedKeys.deletedPrefix.text

    @Flag(help: "Delete without keeping a copy at the target.")
    var permanentDelete = false

    /// - Parameter runFolder: unique to the run, so that what an earlier run kept is never overwritten.
    func deletion(runFolder: String) -> ReplicationOptions.Deletion {
        guard delete else { return .off }
        var limit = ReplicationOptions.DeleteLimit.standard
        for quantity in maxDelete {
            switch quantity {
            case .count(let count):
                limit.count = count
                // A number that somebody chose is the limit, whatever its share.
                if maxDelete.count == 1 { limit.percent = 100 }
            case .percent(let percent):
                limit.percent = percent
                limit.percentFloor = 0
            }
        }
        guard !permanentDelete else { return .on(limit: limit, backupPrefix: nil) }
        let prefix = backupPrefix.hasSuffix("/") ? backupPrefix : backupPrefix + "/"
        return .on(limit: limit, backupPrefix: ObjectKey(prefix + runFolder + "/"))
    }

    func validate() throws {
        guard !ReservedKeys.contains(ObjectKey(backupPrefix + "/")) else { return }
        throw ValidationError(
            "--backup-prefix must be below \(ReservedKeys.prefix), which no run replicates or deletes; e.g. .lockstep/deleted/2026"
        )
    }
}

/// Ceilings of one run.
struct LimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Bytes per second that are read at the source, e.g. 50M.", valueName: "bytes/s"))
    var limitRate: ByteQuantity?

    @Option(help: ArgumentHelp("Start no transfer that would exceed so many bytes (exit 8).", valueName: "bytes"))
    var maxTransfer: ByteQuantity?

    @Option(help: ArgumentHelp("Start no transfer after so long, e.g. 2h30m (exit 8).", valueName: "time"))
    var maxDuration: TimeQuantity?

    @Option(help: ArgumentHelp("Bytes of all buffers (128M).", valueName: "bytes"))
    var memory: ByteQuantity?

    @Option(help: ArgumentHelp("Parts and small objects in flight at most (32).", valueName: "n"))
    var concurrency: Int?

    @Option(
        help: ArgumentHelp("Bytes of a part (8M); larger where the object or a store needs it.", valueName: "bytes"))
    var partSize: ByteQuantity?

    func validate() throws {
        if let concurrency, !(1...1024).contains(concurrency) {
            throw ValidationError("--concurrency must be between 1 and 1024")
        }
        if let memory, memory.bytes < 8 << 20 { throw ValidationError("--memory must be at least 8M") }
        if let partSize, partSize.bytes < 5 << 20 { throw ValidationError("--part-size must be at least 5M") }
        if let limitRate, limitRate.bytes < 1 { throw ValidationError("--limit-rate must be at least 1") }
    }

    func apply(to options: inout ReplicationOptions) throws {
        if let memory { options.memory = Int(memory.bytes) }
        if let concurrency { options.concurrency = concurrency }
        if let partSize {
            guard partSize.bytes <= options.memory else {
                throw ValidationError(
                    "--part-size \(partSize) does not fit into --memory: a part is a buffer; raise --memory")
            }
            options.partSize = partSize.bytes
        } else {
            // The pool should hold several parts, so that reading and writing overlap.
            let mebibyte: Int64 = 1 << 20
            options.partSize = max(5 << 20, min(options.partSize, Int64(options.memory / 4) / mebibyte * mebibyte))
        }
        options.maxTransfer = maxTransfer?.bytes
        options.maxDuration = maxDuration?.duration
    }
}

/// Where the pair's ledger is, and what happens when another run holds it.
struct StateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Directory of the ledgers ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?

    @Flag(help: "Wait for another run of this pair to end instead of exiting with 7.")
    var wait = false

    @Option(
        help: ArgumentHelp(
            "How long the pair stays reserved for a run that shows no sign of life (60s).", valueName: "time"))
    var lease: TimeQuantity?

    var leaseLength: Duration { lease?.duration ?? PairLease.standardLength }

    func validate() throws {
        guard leaseLength >= .seconds(2) else { throw ValidationError("--lease must be at least 2s") }
    }
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
}
