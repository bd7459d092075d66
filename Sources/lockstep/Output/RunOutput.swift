import Replication

/// What one run says as it goes on and at its end: to people, or to programs with `--json`.
struct RunOutput: Sendable {
    /// For lines to people.
    let console: Console
    private let isJSON: Bool
    private let isVerbose: Bool
    private let isQuiet: Bool
    private let showsProgress: Bool
    private let context: CommandContext
    private let json: JSONPrinter

    init(_ options: OutputOptions, _ context: CommandContext) {
        self.init(options, context, pair: nil, isLabelled: false, showsProgress: true)
    }

    /// - Parameters:
    ///   - pair: the pair of the configuration that is run.
    ///   - isLabelled: whether its lines are told apart from those of others.
    init(_ options: OutputOptions, _ context: CommandContext, pair: String?, isLabelled: Bool, showsProgress: Bool) {
        console = pair.flatMap { isLabelled ? context.console.labelled(as: $0) : nil } ?? context.console
        isJSON = options.json
        isVerbose = options.verbose
        isQuiet = options.quiet
        self.showsProgress = showsProgress && options.showsProgress
        self.context = context
        json = JSONPrinter(console: context.console, time: context.time, pair: pair)
    }

    var observer: any ReplicationObserver {
        guard !isJSON else { return json }
        return RunPrinter(console: console, verbose: isVerbose, quiet: isQuiet)
    }

    var watch: (@Sendable (RunProgress) async -> Void)? {
        guard showsProgress else { return nil }
        let context = context
        return { await ProgressReporter(console: context.console, progress: $0, time: context.time).run() }
    }

    func finish(_ report: RunReport) {
        if isJSON { json.finish(report) }
        if let failure = report.summary.failure { console.error(failure.description) }
        if let failure = report.manifestFailure { console.error(failure) }
        if !isJSON, !isQuiet { for line in report.lines { console.say(line) } }
    }

    /// A run that ended before there was a report.
    func fail(_ failure: CommandFailure, exitCode: Int32) {
        if isJSON { json.fail(failure, exitCode: exitCode) }
        console.error(failure.description)
    }
}
