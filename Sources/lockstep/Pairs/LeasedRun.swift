import Buffers
import Cryptography
import Digests
import HTTPTransport
import Manifests
import ObjectStores
import Replication
import Vault

/// One run under the pair's lease: a lost ledger is recovered, both sides are made equal, and the result is published.
struct LeasedRun {
    let source: OpenStore
    let target: OpenStore
    let pair: PairState
    let manifest: PairManifest?
    let options: ReplicationOptions
    let pool: BufferPool
    let observer: any ReplicationObserver
    let watch: (@Sendable (RunProgress) async -> Void)?
    let context: CommandContext

    private struct Outcome {
        var summary: RunSummary
        var publication: ManifestPublisher.Publication?
        var manifestFailure: String?
    }

    func report() async throws -> RunReport {
        let started = context.time.monotonic()
        let root = target.vault?.store.rootSequence
        let outcome = try await underLease { try await work() }
        for store in [source, target] { for sentence in store.learned() { observer.handle(.notice(sentence)) } }
        let vault = options.dryRun ? nil : target.vault.map { VaultReport($0.store, before: root) }
        var report = RunReport(
            summary: outcome.summary, publication: outcome.publication, manifestFailure: outcome.manifestFailure,
            source: source.meter.meter, target: target.meter.meter, control: manifest?.control.meter.meter,
            vault: vault, elapsed: context.time.monotonic() - started, dryRun: options.dryRun,
            exitCode: ExitStatus(outcome.summary).rawValue)
        if outcome.summary.stop == .interrupted { report.exitCode = context.interruption.exitCode ?? 130 }
        if outcome.manifestFailure != nil, report.exitCode == 0 { report.exitCode = ExitStatus.partial.rawValue }
        return report
    }

    private func work() async throws -> Outcome {
        var isMissing = false
        if !options.dryRun, let manifest { isMissing = try await manifest.recover(pair.ledger) }
        var outcome = Outcome(summary: await replicate())
        guard let manifest, !options.dryRun, !Task.isCancelled, outcome.summary.failure?.side != .ledger else {
            return outcome
        }
        do {
            outcome.publication = try await manifest.publish(pair.ledger, isMissing: isMissing)
        } catch {
            if !Task.isCancelled { outcome.manifestFailure = "the manifest was not published: \(error)" }
        }
        return outcome
    }

    private func replicate() async -> RunSummary {
        let replicator = Replicator(
            source: source.store, target: target.store, ledger: pair.ledger, options: options, pool: pool,
            time: context.time, nonce: Hex.encode(SecureRandom.bytes(16)), observer: observer,
            staged: target.vault?.commits, executors: context.transport.executors)
        let watcher = Task { await watch?(replicator.progress) }
        let summary = await replicator.run()
        watcher.cancel()
        await watcher.value
        return summary
    }

    /// Ends the work when the lease is lost: another run goes on with the pair.
    private func underLease(_ body: @escaping @Sendable () async throws -> Outcome) async throws -> Outcome {
        let lease = pair.lease
        let work = Task { try await body() }
        let keeper = Task { () -> LedgerError? in
            do { try await lease.keep() } catch {
                guard let error = error as? LedgerError else { return nil }
                work.cancel()
                return error
            }
            return nil
        }
        let result = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            work.cancel()
        }
        keeper.cancel()
        let lost = await keeper.value
        var outcome = try result.get()
        if let lost {
            outcome.summary.failure = TransferFailure(lost)
            outcome.summary.stop = nil
        }
        return outcome
    }
}
