import Foundation
import Manifests
import SQLiteManifests

/// The ledger of a pair, for commands that only read.
enum PairLedger {
    /// Takes no lock and no lease, and makes nothing; nil when no run has written a ledger of the pair there.
    static func openForReading(
        state: String?, source: OpenStore, target: OpenStore, context: CommandContext
    ) throws(CommandFailure) -> SQLiteLedgerReader? {
        let path = state ?? StateDirectory.standardPath(environment: context.environment)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do throws(LedgerError) {
            let file = try StateDirectory(path: path).pairFile(source: source.identity, target: target.identity)
            return try SQLiteLedgerReader(path: file + ".sqlite", source: source.identity, target: target.identity)
        } catch {
            throw CommandFailure(ExitStatus(error.code), error.description)
        }
    }
}
