import Configuration
import ObjectStores
import Operations
import Replication
import ReplicationModel
import Synchronization

/// Runs the pairs of a configuration for the daemon: as `lockstep run` does, telling the log.
struct PairService: PairRunner {
    private let configuration: RereadConfiguration
    private let context: CommandContext
    private let log: ServiceLog

    init(_ configuration: RereadConfiguration, context: CommandContext, log: ServiceLog) {
        self.configuration = configuration
        self.context = context
        self.log = log
    }

    func run(_ work: PairWork, watch: @escaping @Sendable (RunProgress) -> Void) async -> Operations.PairOutcome {
        let start = context.time.nowSeconds()
        let log = log.about(work)
        let context = context.speaking(through: Console(log: log))
        do {
            let pair = try configuration.pair(work.pair)
            switch work.kind {
            case .check:
                let run = CheckRun(request: pair.checkRequest(), context: context, observer: CheckLog(log: log))
                return Operations.PairOutcome(try await run.report(), start: start, end: context.time.nowSeconds())
            case .sync, .events:
                let problems = RunProblems(RunLog(log: log))
                let run = PairRun(
                    request: request(of: pair, work), context: context, observer: problems, watch: { watch($0) })
                return Operations.PairOutcome(
                    try await run.report(), kind: work.kind, problems: problems, start: start,
                    end: context.time.nowSeconds())
            }
        } catch {
            let failure = CommandContext.failure(error, nil)
            let code = Task.isCancelled ? 130 : failure.status.rawValue
            return Operations.PairOutcome(
                failure, exitCode: code, kind: work.kind, start: start, end: context.time.nowSeconds())
        }
    }

    private func request(of pair: ConfiguredPair, _ work: PairWork) -> PairRequest {
        guard work.kind == .events else { return pair.request() }
        var request = pair.request(keys: .these(work.keys))
        // Single keys prove no set complete and nothing absent.
        request.settings.pointers = .init()
        request.settings.deletion.isEnabled = false
        return request
    }
}

/// What a run tells, as lines of the log: each object at `debug`, what went wrong as a warning.
private struct RunLog: ReplicationObserver {
    let log: ServiceLog

    func handle(_ event: ReplicationEvent) {
        switch event {
        case .copied(let key, let size, let reason, _): log.debug("copied \(key) (\(size) bytes, \(reason.rawValue))")
        case .adopted(let key, let size, _): log.debug("found equal: \(key) (\(size) bytes)")
        case .deleted(let key, let size, let backup):
            log.debug("deleted \(key) (\(size) bytes)" + (backup.map { ", kept as \($0)" } ?? ""))
        case .wouldCopy, .wouldDelete: break
        case .skipped(let key, let reason):
            if reason != .vanished { log.warning("skipped \(key): \(reason.advice)") }
        case .failed(let key, let failure): log.warning("\(key): \(failure)")
        case .attributesDropped(let key, let names):
            log.warning("\(key): the target cannot hold \(names.joined(separator: ", "))")
        case .notice(let text): log.info(text)
        }
    }
}

/// Names what a check found, so that the log says which objects a verdict is about: the first as warnings, the rest at `debug`.
private final class CheckLog: CheckObserver {
    private let log: ServiceLog
    private let named = Atomic(0)

    init(log: ServiceLog) {
        self.log = log
    }

    func handle(_ finding: CheckFinding) {
        if case .same = finding.verdict { return }
        let isFirst = named.add(1, ordering: .relaxed).newValue <= CheckCollector.shown
        log.write(isFirst ? .warning : .debug, finding.line)
    }
}
