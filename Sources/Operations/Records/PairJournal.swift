package import ObjectStores
import Replication
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Accompanies runs of pairs, whoever begins them: the record before and after, the textfile, the log and the notices.
package struct PairJournal: Sendable {
    package let records: PairRecordStore
    private let textfile: TextfileWriter
    private let log: ServiceLog
    private let time: any Timekeeper
    private let host: String

    package init(
        records: PairRecordStore, textfile: TextfileWriter, log: ServiceLog, time: any Timekeeper, host: String
    ) {
        self.records = records
        self.textfile = textfile
        self.log = log
        self.time = time
        self.host = host
    }

    /// What a run did, and what people should be told of it.
    package struct Entry: Sendable {
        package var outcome: PairOutcome
        package var notices: [Notice]
        /// Whether what events have asked for is still to be done by a run over both listings.
        package var owesReconciliation: Bool
    }

    /// Tells people; what no channel takes is kept for the next run's end.
    package func deliver(_ notices: [Notice], through notifier: Notifier) async {
        for notice in notices where await !notifier.deliver(notice) {
            change(notice.pair) { $0.noteUntold(notice.event) }
        }
    }

    /// A record that cannot be written costs its numbers, never the run.
    package func accompany(_ work: PairWork, _ run: () async -> PairOutcome) async -> Entry {
        let log = log.about(work)
        log.write(work.kind == .events ? .debug : .info, "\(work.kind.rawValue) begins (\(work.trigger.rawValue))")
        let (mark, killed) = change(work.pair, log) { begin(work, &$0) } ?? (nil, [])
        var notices = tell(killed)
        let outcome = await run()
        let record = withExtendedLifetime(mark) {
            change(work.pair, log) { record in (record.end(outcome, of: work), record) }
        }
        notices += (record?.0 ?? []).map { Notice($0, outcome, of: work, host: host) }
        if let (_, record) = record {
            do throws(RecordError) { try textfile.write(record, at: time.nowSeconds()) } catch {
                log.warning("the metrics were not written: \(error)")
            }
        }
        log.write(Self.level(of: outcome.result), Self.sentence(outcome))
        return Entry(
            outcome: outcome, notices: notices,
            owesReconciliation: work.kind == .sync && record?.1.reconciliationAsked != nil)
    }

    /// Accounts for runs of a pair that are not there any more and have not said how they ended.
    package func settleKilled(_ pair: String) -> [Notice] {
        let killed = change(pair) { record in
            [PairWork.Kind.sync, .check].flatMap { kind in
                let mark = records.mark(pair, kind)
                return withExtendedLifetime(mark) { mark == nil ? [] : endKilled(kind, &record) }
            }
        }
        return tell(killed ?? [])
    }

    /// A run that was killed, and what people should be told of it.
    private struct Killed {
        var work: PairWork
        var outcome: PairOutcome
        var events: [PairEvent]
    }

    /// A run that cannot have the mark is beside another one, which the record goes on to name.
    private func begin(_ work: PairWork, _ record: inout PairRecord) -> (RunMark?, [Killed]) {
        guard let mark = records.mark(work.pair, work.kind) else { return (nil, []) }
        let killed = endKilled(work.kind, &record)
        record.begin(work, at: time.nowSeconds(), process: getpid())
        return (mark, killed)
    }

    /// For whoever has the mark of the kind.
    private func endKilled(_ kind: PairWork.Kind, _ record: inout PairRecord) -> [Killed] {
        guard let run = record[kind] else { return [] }
        let work = PairWork(
            pair: record.pair, kind: run.kind, trigger: run.trigger, trace: TraceContext(traceID: run.traceId))
        let outcome = PairOutcome(killed: run, at: time.nowSeconds())
        return [Killed(work: work, outcome: outcome, events: record.end(outcome, of: work))]
    }

    private func tell(_ killed: [Killed]) -> [Notice] {
        killed.flatMap { run in
            log.about(run.work).error(Self.sentence(run.outcome))
            return run.events.map { Notice($0, run.outcome, of: run.work, host: host) }
        }
    }

    /// Changes a record; says why when that fails.
    @discardableResult
    package func change<Result>(_ pair: String, _ change: (inout PairRecord) -> Result) -> Result? {
        self.change(pair, log.about(pair: pair), change)
    }

    @discardableResult
    private func change<Result>(_ pair: String, _ log: ServiceLog, _ change: (inout PairRecord) -> Result) -> Result? {
        do throws(RecordError) {
            let (result, problem) = try records.update(pair, change)
            if let problem { log.warning("\(problem)") }
            return result
        } catch {
            log.warning("the pair's record was not written: \(error)")
            return records.remember(pair, change)
        }
    }

    private static func level(of result: PairOutcome.Result) -> ServiceLog.Level {
        result.isFailure ? .error : result == .unproven ? .warning : .info
    }

    private static func sentence(_ outcome: PairOutcome) -> String {
        let counts = outcome.counts
        var text = "\(outcome.kind.rawValue) ends: \(outcome.result.rawValue), exit code \(outcome.exitCode)"
        if outcome.kind != .check {
            text += ", \(counted(counts.copiedObjects, "object")) (\(counts.copiedBytes) bytes) copied"
            if counts.failedObjects > 0 { text += ", \(counts.failedObjects) failed" }
            if counts.skippedObjects > 0 { text += ", \(counts.skippedObjects) skipped" }
        }
        return text + (outcome.message.map { ": \($0)" } ?? "")
    }
}
