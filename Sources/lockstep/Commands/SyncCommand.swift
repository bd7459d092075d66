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
import Vault

/// `lockstep sync SOURCE TARGET`: flags become options, locations become stores, and one run goes over the pair.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract:
            "Makes TARGET identical to SOURCE: copies what is new or changed, checks every byte, skips what is known.",
        discussion: """
            Locations are s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path. With vault+ before
            it a location is inside a vault (lockstep vault init makes one): what is synced there becomes a snapshot.

            EXAMPLES
              lockstep sync s3://models gs://models-replica
              lockstep sync s3://data/train az://account/data/train --delete --max-delete 5%
              lockstep sync /srv/checkpoints s3://backup --target-endpoint http://127.0.0.1:9000
              lockstep sync s3://a s3://b --include '*.safetensors' --exclude '*' --dry-run
              lockstep sync s3://models gs://models-replica --pointers '**/*.index.json' --pointers '**/latest'
              lockstep sync s3://a gs://b --repair-from report.txt
              lockstep sync s3://models vault+gs://backups/models --password-file ~/.vault
              lockstep sync vault+gs://backups/models az://account/restored --snapshot 2026-11-01
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
    @OptionGroup(title: "Endpoints and identities")
    var snapshot: SourceSnapshotOptions
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
    @OptionGroup(title: "Published manifest")
    var manifest: ManifestOptions
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
            filters.filesFrom != nil || deletion.delete || comparison.sizeOnly || comparison.delta
            || !pointers.pointers.isEmpty
        if repair.repairFrom != nil, namesOther {
            throw ValidationError(
                "--repair-from names its keys and how they are compared: not with --files-from, --delete, --delta, --size-only or --pointers"
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

    /// Whoever forgets `vault+` must not put plain objects between a vault's, or delete these. A copy of a whole vault has them on both sides.
    private func refusesVaults(_ target: ObjectLocation) -> @Sendable (ObjectKey) -> String? {
        { key in
            guard let name = key.utf8, VaultName.sequence(of: name, prefix: VaultName.keyPrefix) != nil else {
                return nil
            }
            return "\(target) holds a vault (\(name)): write vault+\(target) to sync into it"
        }
    }

    private func sync(_ context: CommandContext) async throws -> Int32 {
        var (options, notices) = try options(context)
        let rate = limits.limitRate.map { ByteRateLimit(bytesPerSecond: $0.bytes, time: context.time) }
        let locations = (source: try context.location(source), target: try context.location(target))
        var connections = try endpoints.connections(
            source: locations.source, target: locations.target, state: state.state)
        connections.source.vault.snapshot = snapshot.chosen
        // Out of a vault, memory serves better for blocks of packs, which many parts share, than for parts that wait.
        let parts = locations.source.isVault ? max(Int(options.partSize), options.memory / 2) : options.memory
        let source = try await context.stores.open(
            locations.source, connections.source, for: .reading, rate: rate, memory: 2 * options.memory - parts)
        let target = try await context.stores.open(
            locations.target, connections.target, for: .writing(source: source.location.description),
            memory: options.memory)
        guard !source.overlaps(target) else {
            throw CommandFailure(
                .usage, "source and target overlap: \(source.location) and \(target.location) share objects")
        }
        if !locations.target.isVault { options.refusal = refusesVaults(target.location) }
        let json = JSONPrinter(console: context.console, time: context.time)
        let people = RunPrinter(console: context.console, verbose: output.verbose, quiet: output.quiet)
        let observer: any ReplicationObserver = output.json ? json : people
        for notice in notices { observer.handle(.notice(notice)) }
        let pool = BufferPool(limit: parts)
        let pair = try await PairState.open(state, source: source, target: target, context: context)
        let published = try await PairManifest.open(
            manifest, state: state, source: source, target: target, targetConnection: connections.target, pool: pool,
            context: context, say: { observer.handle(.notice($0)) })
        let run = SyncRun(
            source: source, target: target, pair: pair, manifest: published, options: options, pool: pool,
            observer: observer, output: output, context: context)
        let report = try await run.report()
        try await pair.close()
        if output.json { json.finish(report) }
        if let failure = report.summary.failure { context.console.error(failure.description) }
        if let failure = report.manifestFailure { context.console.error(failure) }
        if !output.json, !output.quiet { for line in report.lines { context.console.say(line) } }
        return report.exitCode
    }
}
