import ArgumentParser
import Configuration

/// `lockstep sync SOURCE TARGET`: flags become a request, and one run goes over the pair.
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
              lockstep sync s3://models vault:offsite --config lockstep.yaml --source-cloud prod
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
    @OptionGroup(title: "Endpoints and identities")
    var written: TargetOptions
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
    }

    func run() async throws {
        let context = CommandContext(verbose: output.verbose)
        let command = self
        try await context.run { try await command.sync(context) }
    }

    private var settings: PairSettings {
        var settings = PairSettings()
        settings.filter = filters.filter
        settings.pointers = pointers.settings
        settings.comparison = comparison.comparison
        settings.onConflict = comparison.onConflict
        settings.delta = comparison.delta
        settings.deletion = deletion.settings
        settings.manifest = manifest.settings
        settings.limits = limits.settings
        settings.lease = state.settings
        return settings
    }

    private func request(_ context: CommandContext) throws -> PairRequest {
        let settings = settings
        let named = try NamedPlaces(
            endpoints.file, clouds: [endpoints.sourceCloud, endpoints.targetCloud, manifest.controlCloud],
            texts: [source, target, manifest.control], context)
        let path = state.directory.state ?? named.state
        let places = try endpoints.places(source: source, target: target, in: named, state: path)
        var request = PairRequest(source: places.source, target: places.target, settings: settings)
        request.source.connection.vault.snapshot = snapshot.chosen
        request.target.connection.encryption = written.targetEncryption
        if let control = manifest.control {
            request.control = try named.place(
                control, manifest.connection, cloud: manifest.controlCloud, side: "control-")
        }
        if let file = filters.filesFrom { request.keys = .listed(in: file) }
        if let file = repair.repairFrom { request.keys = .marked(in: file) }
        request.dryRun = comparison.dryRun
        request.adoptsManifest = manifest.adoptManifest
        request.state = StateRequest(path: path, waits: state.wait, settings.lease)
        return request
    }

    private func sync(_ context: CommandContext) async throws -> Int32 {
        let printer = RunOutput(output, context)
        let run = PairRun(
            request: try request(context), context: context, observer: printer.observer, watch: printer.watch)
        let report = try await run.report()
        printer.finish(report)
        return report.exitCode
    }
}
