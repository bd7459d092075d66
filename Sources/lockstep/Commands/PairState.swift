import Foundation
import Manifests
import ObjectStores
import SQLiteManifests

/// The lock and the ledger of one pair, held for the length of a run.
struct PairState {
    let ledger: SQLiteLedger
    private let lock: PairLock

    static func open(
        _ options: StateOptions, source: OpenStore, target: OpenStore, context: CommandContext
    ) async throws -> PairState {
        do {
            let directory = try StateDirectory(
                path: options.state ?? StateDirectory.standardPath(environment: context.environment))
            let file = directory.pairFile(source: source.identity, target: target.identity)
            let lock = try await takeLock(file + ".lock", wait: options.wait, context: context)
            let ledger = try SQLiteLedger(path: file + ".sqlite", source: source.identity, target: target.identity)
            return PairState(ledger: ledger, lock: lock)
        } catch let error as LedgerError {
            throw CommandFailure(ExitStatus(error.code), error.description)
        }
    }

    private static func takeLock(_ path: String, wait: Bool, context: CommandContext) async throws -> PairLock {
        if let lock = try PairLock.take(path: path) { return lock }
        guard wait else {
            throw CommandFailure(.locked, "another run of this pair is under way; --wait waits for it (lock \(path))")
        }
        context.console.say("another run of this pair is under way; waiting for it to end")
        return try await PairLock.wait(path: path, time: context.time)
    }

    func close() async throws {
        try await ledger.close()
        withExtendedLifetime(lock) {}
    }
}
