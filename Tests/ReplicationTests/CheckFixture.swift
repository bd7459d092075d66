import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Synchronization

/// Collects the findings of a check.
final class FindingRecorder: CheckObserver {
    private let recorded = Mutex<[CheckFinding]>([])

    func handle(_ finding: CheckFinding) {
        recorded.withLock { $0.append(finding) }
    }

    var findings: [CheckFinding] { recorded.withLock { $0 } }
    var verdicts: [ObjectKey: KeyVerdict] {
        Dictionary(findings.map { ($0.key, $0.verdict) }, uniquingKeysWith: { first, _ in first })
    }
}

/// A ledger as a reader sees it.
struct LedgerView: LedgerReader {
    let ledger: any Ledger

    func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        try await ledger.rows(after: key, limit: limit)
    }

    func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? { try await ledger.row(for: key) }
}

extension EngineFixture {
    struct Check: Sendable {
        var summary: CheckSummary
        var findings: [CheckFinding]
        var verdicts: [ObjectKey: KeyVerdict]
        var source: StoreMeter
        var target: StoreMeter

        var verdict: CheckVerdict { summary.verdict }
        func requests(_ operation: StoreOperation) -> Int {
            (source.requests[operation] ?? 0) + (target.requests[operation] ?? 0)
        }
    }

    /// Checks the pair as the engine sees it.
    func check(
        _ evidence: EvidenceLevel? = nil, ledger withLedger: Bool = true, manifest: (any LedgerReader)? = nil,
        _ change: (inout CheckOptions) -> Void = { _ in }
    ) async throws -> Check {
        var options = CheckOptions()
        options.evidence = evidence
        options.memory = 8 << 20
        options.partSize = 1 << 20
        change(&options)
        let recorder = FindingRecorder()
        let time = ImmediateTime()
        let meteredSource = MeteredStore(sourceSide)
        let meteredTarget = MeteredStore(targetSide)
        let ledger = withLedger ? try openLedger() : nil
        // A manifest stands for the source.
        let source: (any ObjectStore)? =
            manifest == nil ? RetryingStore(meteredSource, policy: policy, time: time) : nil
        let summary = await Checker(
            source: source, target: RetryingStore(meteredTarget, policy: policy, time: time),
            ledger: manifest ?? ledger.map { LedgerView(ledger: $0) }, options: options,
            pool: BufferPool(limit: options.memory),
            observer: recorder
        ).run()
        try await ledger?.close()
        return Check(
            summary: summary, findings: recorder.findings, verdicts: recorder.verdicts, source: meteredSource.meter,
            target: meteredTarget.meter)
    }
}
