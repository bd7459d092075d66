package import ObjectStores
import Replication

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Accompanies runs of pairs, whoever begins them: the record before and after, the textfile, the log and the notices.
package struct PairJournal: Sendable {
    package let records: PairRecordStore
    private let textfile: TextfileWriter?
    private let log: ServiceLog
    private let time: any Timekeeper
    private let host: String

    package init(
        records: PairRecordStore, textfile: TextfileWriter?, log: ServiceLog, time: any Timekeeper, host: String
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
    }

    /// A record that cannot be written costs its numbers, never the run.
    package func accompany(_ work: PairWork, _ run: () async -> PairOutcome) async -> Entry {
        let log = log.about(work)
        log.write(work.kind == .events ? .debug : .info, "\(work.kind.rawValue) begins (\(work.trigger.rawValue))")
        change(work.pair, log) { $0.begin(work, at: time.nowSeconds(), process: getpid()) }
        let outcome = await run()
        let record = change(work.pair, log) { record in (record.end(outcome, of: work), record) }
        if let textfile, let (_, record) = record {
            do throws(RecordError) { try textfile.write(record, at: time.nowSeconds()) } catch {
                log.warning("the metrics were not written: \(error)")
            }
        }
        log.write(Self.level(of: outcome.result), Self.sentence(outcome))
        return Entry(
            outcome: outcome, notices: (record?.0 ?? []).map { Notice($0, outcome, of: work, host: host) })
    }

    /// Changes a record; says why when that fails.
    @discardableResult
    package func change<Result>(_ pair: String, _ change: (inout PairRecord) -> Result) -> Result? {
        self.change(pair, log, change)
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
            text += ", \(counts.copiedObjects) objects (\(counts.copiedBytes) bytes) copied"
            if counts.failedObjects > 0 { text += ", \(counts.failedObjects) failed" }
            if counts.skippedObjects > 0 { text += ", \(counts.skippedObjects) skipped" }
        }
        return text + (outcome.message.map { ": \($0)" } ?? "")
    }
}
