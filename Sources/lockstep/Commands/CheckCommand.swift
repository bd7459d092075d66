import ArgumentParser
import Buffers
import HTTPTransport
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests

/// `lockstep check SOURCE TARGET`: says whether the target can stand in for the source, and how that is known.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Says whether TARGET holds what SOURCE holds, with evidence; reads only.",
        discussion: """
            What could not be compared is unproven and never counts as the same.

            EXAMPLES
              lockstep check s3://models gs://models-replica
              lockstep check s3://models gs://models-replica --evidence 2 --combined report.txt --html report.html
              lockstep sync s3://models gs://models-replica --repair-from report.txt
              lockstep check s3://data az://account/data --evidence 3 --sample 1%
              lockstep check gs://models-replica --against manifest
              lockstep check s3://models vault+gs://backups/models --target-snapshot 2026-11-01
              lockstep check s3://models gs://models-replica --set-depth 1 --json | jq -r 'select(.event=="differs").key'

            EXIT CODES
              0 in sync · 4 drift · 5 unproven · 3 could not finish · 2 usage · 75 try again later · 78 configuration or
              credentials · 130/143 interrupted
            """)

    @Argument(help: ArgumentHelp("What is the truth; left out with --against manifest.", valueName: "source"))
    var first: String
    @Argument(help: ArgumentHelp("What is compared with it.", valueName: "target"))
    var second: String?

    @OptionGroup(title: "Endpoints and identities")
    var endpoints: PairEndpointOptions
    @OptionGroup(title: "Endpoints and identities")
    var snapshots: CheckSnapshotOptions
    @OptionGroup(title: "Which objects")
    var filters: FilterOptions
    @OptionGroup(title: "Evidence")
    var evidence: EvidenceOptions
    @OptionGroup(title: "Artifact sets")
    var sets: ArtifactSetOptions
    @OptionGroup(title: "Limits and state")
    var limits: CheckLimitOptions
    @OptionGroup(title: "Output")
    var output: CheckOutputOptions

    func validate() throws {
        switch (evidence.against, second) {
        case (nil, nil): throw ValidationError("name a source and a target, or one target and --against manifest")
        case (.manifest, .some): throw ValidationError("--against manifest looks at the target alone: name no source")
        default: break
        }
        if evidence.against != nil, evidence.noLedger || filters.filesFrom != nil {
            throw ValidationError("--against manifest compares with all its rows: not with --no-ledger or --files-from")
        }
    }

    func run() async throws {
        let context = CommandContext(verbose: output.verbose)
        let command = self
        try await context.run { try await command.check(context) }
    }

    private func options() throws -> CheckOptions {
        var options = CheckOptions()
        options.filter = filters.filter
        options.keys = try filters.keys()
        options.sets = try sets.rule()
        evidence.apply(to: &options)
        limits.apply(to: &options)
        return options
    }

    private func check(_ context: CommandContext) async throws -> Int32 {
        let options = try options()
        guard let second else { return try await checkAgainstManifest(options, context) }
        let rate = limits.limitRate.map { ByteRateLimit(bytesPerSecond: $0.bytes, time: context.time) }
        let locations = (source: try context.location(first), target: try context.location(second))
        var connections = try endpoints.connections(
            source: locations.source, target: locations.target, state: limits.state)
        snapshots.apply(to: &connections, source: locations.source, target: locations.target)
        let source = try await context.stores.open(
            locations.source, connections.source, for: .reading, rate: rate, memory: options.memory)
        let target = try await context.stores.open(
            locations.target, connections.target, for: .reading, memory: options.memory)
        let ledger =
            evidence.noLedger
            ? nil
            : try PairLedger.openForReading(state: limits.state, source: source, target: target, context: context)
        let code = try await compare(source, target, ledger, options, context) { report in
            report.source = source.location.description
            report.hasLedger = ledger != nil
        }
        try ledger?.close()
        return code
    }

    /// The source cloud may be down: what was last published at the target stands for it.
    private func checkAgainstManifest(_ options: CheckOptions, _ context: CommandContext) async throws -> Int32 {
        let location = try context.location(first)
        guard !location.isVault else {
            throw CommandFailure(
                .usage,
                "a vault has snapshots in place of manifests; lockstep vault check \(location) looks at it alone")
        }
        let connection = try endpoints.connections(source: location, target: location, state: limits.state).target
        let target = try await context.stores.open(location, connection, for: .reading)
        let pool = BufferPool(limit: PublishedSource.memory)
        var place = target
        if let control = evidence.control {
            place = try await context.stores.open(try context.location(control), connection, for: .reading)
        }
        let published = try await PublishedSource.open(
            at: place, trustKey: evidence.trustKey, state: limits.state, pool: pool, context: context)
        return try await compare(nil, target, published.reader, options, context) { report in
            report.source = published.name
            report.hasLedger = true
            report.notices.append(
                "compared with manifest \(published.sequence) of \(Format.time(published.createdAt)): "
                    + "what changed at the source since then cannot be seen, and attributes are not compared")
            if published.target != target.identity {
                report.notices.append("the manifest was published for \(published.target), not for \(target.identity)")
            }
        }
    }

    private func compare(
        _ source: OpenStore?, _ target: OpenStore, _ ledger: (any LedgerReader)?, _ options: CheckOptions,
        _ context: CommandContext, _ complete: (inout CheckReport) -> Void
    ) async throws -> Int32 {
        let collector = try CheckCollector(output, console: context.console, time: context.time)
        let checker = Checker(
            source: source?.store, target: target.store, ledger: ledger, options: options,
            pool: BufferPool(limit: options.memory), observer: collector, executors: context.transport.executors)
        let started = context.time.monotonic()
        let summary = await showingProgress(of: checker, context) { await checker.run() }
        var report = CheckReport(
            source: "", target: target.location.description, summary: summary, hasLedger: false,
            isOneWay: options.isOneWay, sourceRequests: source?.meter.meter ?? StoreMeter(),
            targetRequests: target.meter.meter, elapsed: context.time.monotonic() - started, now: context.time.now(),
            exitCode: ExitStatus(summary).rawValue)
        report.notices += (source?.learned() ?? []) + target.learned()
        complete(&report)
        if summary.failure?.code == .cancelled { report.exitCode = context.interruption.exitCode ?? 130 }
        try collector.finish(report)
        return report.exitCode
    }

    private func showingProgress(
        of checker: Checker, _ context: CommandContext, _ body: () async -> CheckSummary
    ) async -> CheckSummary {
        let reporter = Task {
            guard !output.quiet, !output.noProgress else { return }
            await CheckProgress(console: context.console, checker: checker, time: context.time).run()
        }
        let summary = await body()
        reporter.cancel()
        await reporter.value
        return summary
    }
}
