import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests

/// The ledger of one pair and the lease on it, held for the length of a run.
struct PairState {
    let ledger: SQLiteLedger
    let lease: PairLease

    static func open(
        _ request: StateRequest, source: OpenStore, target: OpenStore, context: CommandContext
    ) async throws -> PairState {
        do {
            let directory = try StateDirectory(
                path: request.path ?? StateDirectory.standardPath(environment: context.environment))
            let file = directory.pairFile(source: source.identity, target: target.identity)
            let ledger = try SQLiteLedger(path: file + ".sqlite", source: source.identity, target: target.identity)
            return PairState(ledger: ledger, lease: try await takeLease(ledger, request, context: context))
        } catch let error as LedgerError {
            throw CommandFailure(ExitStatus(error.code), error.description)
        }
    }

    private static func takeLease(
        _ ledger: SQLiteLedger, _ request: StateRequest, context: CommandContext
    ) async throws -> PairLease {
        let (lease, outcome) = try await PairLease.take(ledger, for: request.lease, time: context.time)
        if let lease { return lease }
        guard case .held(let holder, let until) = outcome else { preconditionFailure("a lease is taken or held") }
        let other = "another run of this pair is under way (process \(holder.process))"
        guard request.waits else {
            try await ledger.close()
            let seconds = max(0, until - context.time.nowSeconds())
            throw CommandFailure(
                .locked,
                "\(other); --wait waits for it. Without a sign of life its lease ends in \(Duration.seconds(seconds).text)"
            )
        }
        context.console.say("\(other); waiting for it to end")
        return try await PairLease.wait(ledger, for: request.lease, time: context.time)
    }

    func close() async throws {
        try await lease.release()
        try await ledger.close()
    }
}
