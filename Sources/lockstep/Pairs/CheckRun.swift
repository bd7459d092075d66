import Buffers
import Configuration
import HTTPTransport
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests

/// One check of one pair, from locations to a report. Reads only.
struct CheckRun {
    let request: CheckRequest
    let context: CommandContext
    let observer: any CheckObserver
    /// Shows how far the check is, until it is cancelled; nil: nobody looks.
    var watch: (@Sendable (Checker) async -> Void)?

    func report() async throws -> CheckReport {
        var options = request.settings.options(freshSeed: .random(in: 0..<1_000_000_000))
        options.keys = try request.keys.keys()
        return switch request.source {
        case .place(let source): try await compare(source, options)
        case .manifest(let place): try await compareWithManifest(place, options)
        }
    }

    private func compare(_ place: PairRequest.Place, _ options: CheckOptions) async throws -> CheckReport {
        let pace = Pace(
            try request.windows ?? RateWindows(otherwise: request.settings.limits.rate?.bytes), time: context.time)
        let closing = pace.untilClosing
        guard closing != .zero else {
            throw CommandFailure(.limit, "nothing runs now: a window with rate 0 is open")
        }
        let pacing = Task { await pace.keep() }
        defer { pacing.cancel() }
        let source = try await context.stores.open(
            place.location, place.connection, for: .reading, rate: pace.limit, memory: options.memory)
        let target = try await context.stores.open(
            request.target.location, request.target.connection, for: .reading, memory: options.memory)
        let ledger =
            request.settings.usesLedger
            ? try PairLedger.openForReading(state: request.state, source: source, target: target, context: context)
            : nil
        var (report, windowBegan) = await compare(source, target, ledger, options, for: closing)
        if windowBegan, report.exitCode != context.interruption.exitCode {
            report.exitCode = ExitStatus.limit.rawValue
            report.notices.append("the check ended because a window without runs began")
        }
        report.source = source.location.description
        report.hasLedger = ledger != nil
        try ledger?.close()
        return report
    }

    /// The same, ended like by an interruption when its time is up.
    private func compare(
        _ source: OpenStore, _ target: OpenStore, _ ledger: (any LedgerReader)?, _ options: CheckOptions,
        for time: Duration?
    ) async -> (CheckReport, endedByTime: Bool) {
        guard let time else { return (await compare(source, target, ledger, options), false) }
        let work = Task { await compare(source, target, ledger, options) }
        let bell = Task {
            try await context.time.sleep(for: time)
            work.cancel()
        }
        let report = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
        bell.cancel()
        let hasRung = await bell.result
        if case .success = hasRung { return (report, report.summary.failure?.code == .cancelled) }
        return (report, false)
    }

    /// The source cloud may be down: what was last published at the target stands for it.
    private func compareWithManifest(
        _ place: CheckRequest.PublishedPlace, _ options: CheckOptions
    ) async throws -> CheckReport {
        let location = request.target.location
        guard !location.isVault else {
            throw CommandFailure(
                .usage,
                "a vault has snapshots in place of manifests; lockstep vault check \(location) looks at it alone")
        }
        let target = try await context.stores.open(location, request.target.connection, for: .reading)
        let pool = BufferPool(limit: PublishedSource.memory)
        var control = target
        if let place = place.control {
            control = try await context.stores.open(place.location, place.connection, for: .reading)
        }
        let published = try await PublishedSource.open(
            at: control, trustKey: place.trustKey, state: request.state, pool: pool, context: context)
        var report = await compare(nil, target, published.reader, options)
        report.source = published.name
        report.hasLedger = true
        report.notices.append(
            "compared with manifest \(published.sequence) of \(Format.time(published.createdAt)): "
                + "what changed at the source since then cannot be seen, and attributes are not compared")
        if published.target != target.identity {
            report.notices.append("the manifest was published for \(published.target), not for \(target.identity)")
        }
        return report
    }

    private func compare(
        _ source: OpenStore?, _ target: OpenStore, _ ledger: (any LedgerReader)?, _ options: CheckOptions
    ) async -> CheckReport {
        let checker = Checker(
            source: source?.store, target: target.store, ledger: ledger, options: options,
            pool: BufferPool(limit: options.memory), observer: observer, executors: context.transport.executors)
        let started = context.time.monotonic()
        let watcher = Task { await watch?(checker) }
        let summary = await checker.run()
        watcher.cancel()
        await watcher.value
        var report = CheckReport(
            source: "", target: target.location.description, summary: summary, hasLedger: false,
            isOneWay: options.isOneWay, sourceRequests: source?.meter.meter ?? StoreMeter(),
            targetRequests: target.meter.meter, elapsed: context.time.monotonic() - started, now: context.time.now(),
            exitCode: ExitStatus(summary).rawValue)
        report.notices += (source?.learned() ?? []) + target.learned()
        if summary.failure?.code == .cancelled { report.exitCode = context.interruption.exitCode ?? 130 }
        return report
    }
}
