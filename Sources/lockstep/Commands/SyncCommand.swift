import ArgumentParser
import Buffers
import Cryptography
import Digests
import Foundation
import HTTPStores
import HTTPTransport
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests

/// `lockstep sync SOURCE TARGET`: flags become options, locations become stores, and one run goes over the pair.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract:
            "Makes TARGET identical to SOURCE: copies what is new or changed, checks every byte, skips what is known.",
        discussion: """
            Locations are s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path.

            EXAMPLES
              lockstep sync s3://models gs://models-replica
              lockstep sync s3://data/train az://account/data/train --delete --max-delete 5%
              lockstep sync /srv/checkpoints s3://backup --target-endpoint http://127.0.0.1:9000
              lockstep sync s3://a s3://b --include '*.safetensors' --exclude '*' --dry-run
              lockstep sync s3://models gs://models-replica --pointers '**/*.index.json' --pointers '**/latest'
              lockstep sync s3://a gs://b --repair-from report.txt
              lockstep sync s3://a gs://b --json | jq -r 'select(.event=="failed").key'

            EXIT CODES
              0 done · 2 usage · 3 some objects failed or were skipped (all named) · 6 refused by a guard · 7 another run is
              under way · 8 a limit was reached · 75 try again later · 78 configuration or credentials · 130/143 interrupted
            """)

    @Argument(help: "Where objects are read.")
    var source: String
    @Argument(help: "Where they are written.")
    var target: String

    @OptionGroup(title: "Endpoints and identities")
    var endpoints: PairEndpointOptions
    @OptionGroup(title: "Which objects")
    var filters: FilterOptions
    @OptionGroup(title: "What is written last")
    var pointers: PointerOptions
    @OptionGroup(title: "How they are compared and replaced")
    var comparison: ComparisonOptions
    @OptionGroup(title: "Repairing")
    var repair: RepairOptions
    @OptionGroup(title: "Deleting")
    var deletion: DeletionOptions
    @OptionGroup(title: "Limits")
    var limits: LimitOptions
    @OptionGroup(title: "State")
    var state: StateOptions
    @OptionGroup(title: "Output")
    var output: OutputOptions

    func validate() throws {
        if filters.filesFrom != nil, deletion.delete {
            throw ValidationError("--delete needs whole listings, --files-from names single keys: use one of them")
        }
        if filters.filesFrom != nil, !pointers.pointers.isEmpty {
            throw ValidationError(
                "--pointers needs whole listings, which show that a set is complete, --files-from names single keys: use one of them"
            )
        }
        let namesOther =
            filters.filesFrom != nil || deletion.delete || comparison.sizeOnly || !pointers.pointers.isEmpty
        if repair.repairFrom != nil, namesOther {
            throw ValidationError(
                "--repair-from names its keys and how they are compared: not with --files-from, --delete, --size-only or --pointers"
            )
        }
        if comparison.sizeOnly, comparison.checksum {
            throw ValidationError("--size-only and --checksum exclude each other")
        }
        if output.verbose, output.quiet { throw ValidationError("--verbose and --quiet exclude each other") }
    }

    func run() async throws {
        let context = CommandContext(verbose: output.verbose)
        let command = self
        try await context.run { try await command.sync(context) }
    }

    private func options(_ context: CommandContext) throws -> (ReplicationOptions, notices: [String]) {
        var options = ReplicationOptions()
        options.filter = filters.filter
        options.keys = try filters.keys()
        options.sets = pointers.sets
        options.comparison = comparison.comparison
        options.onConflict = comparison.onConflict
        options.deletion = deletion.deletion(
            runFolder: CivilTime(secondsSince1970: context.time.nowSeconds()).basic + "-"
                + Hex.encode(SecureRandom.bytes(4)))
        options.delta = comparison.delta
        options.dryRun = comparison.dryRun
        try limits.apply(to: &options)
        let notices = try repair.apply(to: &options)
        return (options, notices)
    }

    private func sync(_ context: CommandContext) async throws -> Int32 {
        let (options, notices) = try options(context)
        let rate = limits.limitRate.map { ByteRateLimit(bytesPerSecond: $0.bytes, time: context.time) }
        let source = try context.stores.open(try context.location(source), endpoints.source, for: .reading, rate: rate)
        let target = try context.stores.open(try context.location(target), endpoints.target, for: .writing)
        guard !source.overlaps(target) else {
            throw CommandFailure(
                .usage, "source and target overlap: \(source.location) and \(target.location) share objects")
        }
        let pair = try await PairState.open(state, source: source, target: target, context: context)
        let report = try await replicate(source, target, pair, options, notices, context)
        try await pair.close()
        return report.exitCode
    }

    /// Ends the run when its lease is lost: another one goes on with the pair.
    private func run(_ replicator: Replicator, under lease: PairLease) async -> RunSummary {
        let run = Task { await replicator.run() }
        let keeper = Task { () -> LedgerError? in
            do { try await lease.keep() } catch {
                guard let error = error as? LedgerError else { return nil }
                run.cancel()
                return error
            }
            return nil
        }
        var summary = await withTaskCancellationHandler {
            await run.value
        } onCancel: {
            run.cancel()
        }
        keeper.cancel()
        if let lost = await keeper.value {
            summary.failure = TransferFailure(lost)
            summary.stop = nil
        }
        return summary
    }

    private func replicate(
        _ source: OpenStore, _ target: OpenStore, _ pair: PairState, _ options: ReplicationOptions,
        _ notices: [String], _ context: CommandContext
    ) async throws -> RunReport {
        let json = JSONPrinter(console: context.console, time: context.time)
        let people = RunPrinter(console: context.console, verbose: output.verbose, quiet: output.quiet)
        let observer: any ReplicationObserver = output.json ? json : people
        for notice in notices { observer.handle(.notice(notice)) }
        let replicator = Replicator(
            source: source.store, target: target.store, ledger: pair.ledger, options: options,
            pool: BufferPool(limit: options.memory), time: context.time, nonce: Hex.encode(SecureRandom.bytes(16)),
            observer: observer, executors: context.transport.executors)
        let started = context.time.monotonic()
        let reporter = Task {
            guard !output.quiet, !output.noProgress else { return }
            await ProgressReporter(console: context.console, progress: replicator.progress, time: context.time).run()
        }
        let summary = await run(replicator, under: pair.lease)
        reporter.cancel()
        await reporter.value
        for store in [source, target] { for sentence in store.learned() { observer.handle(.notice(sentence)) } }
        var report = RunReport(
            summary: summary, source: source.meter.meter, target: target.meter.meter,
            elapsed: context.time.monotonic() - started, dryRun: options.dryRun, exitCode: ExitStatus(summary).rawValue)
        if summary.stop == .interrupted { report.exitCode = context.interruption.exitCode ?? 130 }
        if output.json { json.finish(report) }
        if let failure = summary.failure { context.console.error(failure.description) }
        if !output.json, !output.quiet { for line in report.lines { context.console.say(line) } }
        return report
    }
}
