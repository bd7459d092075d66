import ArgumentParser
import Configuration

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

    private var settings: CheckSettings {
        var settings = evidence.settings
        settings.filter = filters.filter
        settings.sets = sets.settings
        settings.limits = limits.buffers.settings
        return settings
    }

    private func request(_ context: CommandContext) throws -> CheckRequest {
        let named = try NamedPlaces(
            endpoints.file, clouds: [endpoints.sourceCloud, endpoints.targetCloud],
            texts: [first, second], context)
        let path = limits.directory.state ?? named.state
        var places = try endpoints.places(source: first, target: second ?? first, in: named, state: path)
        var request: CheckRequest
        if second != nil {
            snapshots.apply(to: &places)
            request = CheckRequest(source: .place(places.source), target: places.target, settings: settings)
        } else {
            var published = CheckRequest.PublishedPlace(trustKey: evidence.trustKey)
            if let control = evidence.control {
                published.control = PairRequest.Place(
                    location: try context.location(control), connection: places.target.connection)
            }
            request = CheckRequest(source: .manifest(published), target: places.target, settings: settings)
        }
        if let file = filters.filesFrom { request.keys = .listed(in: file) }
        request.state = path
        return request
    }

    private func check(_ context: CommandContext) async throws -> Int32 {
        let collector = try CheckCollector(output.output, console: context.console, time: context.time)
        var run = CheckRun(request: try request(context), context: context, observer: collector)
        if output.showsProgress {
            run.watch = { await CheckProgress(console: context.console, checker: $0, time: context.time).run() }
        }
        let report = try await run.report()
        try collector.finish(report)
        return report.exitCode
    }
}
