import Configuration
import ObjectStores
import Operations
import SQLiteManifests

/// What `lockstep run` keeps of its runs, as the daemon does: records, metrics, notices.
struct RunJournal {
    private let journal: PairJournal
    private let notifier: Notifier
    private let context: CommandContext
    private let configuration: Configuration

    /// - Parameter textfile: `--metrics-textfile`.
    init(_ configuration: Configuration, textfile: String?, context: CommandContext) {
        self.context = context
        self.configuration = configuration
        var settings = configuration.log
        // On a terminal the run itself says what people want to know.
        if settings.format == .text, settings.level != .error { settings.level = .warning }
        let terminal = Console(environment: context.environment)
        let log = ServiceLog(settings, time: context.time) { terminal.say($0) }
        journal = PairJournal(
            records: PairRecordStore(
                state: configuration.state ?? StateDirectory.standardPath(environment: context.environment)),
            textfile: TextfileWriter(directory: textfile ?? configuration.metricsTextfile), log: log,
            time: context.time, host: Service.hostName)
        notifier = Notifier(
            configuration.notifications.map { NotificationChannel($0) }, transport: context.transport,
            environment: context.environment, time: context.time, say: { log.warning($0) })
    }

    /// Runs, keeps, tells; returns the exit code.
    func accompany(_ kind: PairWork.Kind, of pair: ConfiguredPair, _ run: () async -> PairOutcome) async -> Int32 {
        let time = context.time
        let start = time.nowSeconds()
        let work = PairWork(
            pair: pair.name, kind: kind, trigger: .command,
            places: configuration.places(of: pair.pair))
        let entry = await journal.accompany(work) {
            Operations.PairOutcome(await run(), kind: kind, start: start, end: time.nowSeconds())
        }
        await journal.deliver(entry.notices, through: notifier)
        return entry.outcome.exitCode
    }
}

extension Operations.PairOutcome {
    fileprivate init(_ outcome: PairOutcome, kind: PairWork.Kind, start: Int64, end: Int64) {
        switch outcome.result {
        case .ran(let report, let problems):
            self.init(report, kind: kind, problems: problems, start: start, end: end)
        case .checked(let report): self.init(report, start: start, end: end)
        case .failed(let failure):
            self.init(failure, exitCode: outcome.exitCode, kind: kind, start: start, end: end)
        }
    }
}
