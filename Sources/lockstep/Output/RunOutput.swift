import Replication

/// What one run says as it goes on and at its end: to people, or to programs with `--json`.
struct RunOutput {
    private let options: OutputOptions
    private let context: CommandContext
    private let json: JSONPrinter

    init(_ options: OutputOptions, _ context: CommandContext) {
        self.options = options
        self.context = context
        json = JSONPrinter(console: context.console, time: context.time)
    }

    var observer: any ReplicationObserver {
        guard !options.json else { return json }
        return RunPrinter(console: context.console, verbose: options.verbose, quiet: options.quiet)
    }

    var watch: (@Sendable (RunProgress) async -> Void)? {
        guard options.showsProgress else { return nil }
        let context = context
        return { await ProgressReporter(console: context.console, progress: $0, time: context.time).run() }
    }

    func finish(_ report: RunReport) {
        let console = context.console
        if options.json { json.finish(report) }
        if let failure = report.summary.failure { console.error(failure.description) }
        if let failure = report.manifestFailure { console.error(failure) }
        if !options.json, !options.quiet { for line in report.lines { console.say(line) } }
    }
}
