import Foundation
import GRDB
import GRDBSQLite
package import Manifests
package import ReplicationModel

/// The embedded ledger for those who only read: takes no lock and no lease, and works while a run writes.
///
/// Each call sees the last committed state; rows of two calls may be of two states.
package final class SQLiteLedgerReader: LedgerReader {
    private let queue: DatabaseQueue
    private let path: String

    /// Opens the database that a run has made; nil where there is none.
    package init?(path: String, source: String, target: String) throws(LedgerError) {
        self.path = path
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        configuration.label = "lockstep.ledger.reader"
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            let isEmpty = try queue.read { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard version <= LedgerSchema.version else {
                    throw LedgerError(
                        .newerFormat, path: path,
                        message: "written by a newer version of lockstep (format \(version)); use that version")
                }
                guard version > 0 else { return true }
                guard version == LedgerSchema.version else {
                    throw LedgerError(
                        .newerFormat, path: path,
                        message:
                            "written by an older version of lockstep (format \(version)); the next sync converts it, "
                            + "--no-ledger checks without it")
                }
                for (name, value) in [("source", source), ("target", target)] {
                    let known = try String.fetchOne(db, sql: "SELECT value FROM pair WHERE name = ?", arguments: [name])
                    guard known == value else {
                        throw LedgerError(
                            .otherPair, path: path,
                            message: "belongs to the pair with \(name) \(known ?? "unknown"), not \(value)")
                    }
                }
                return false
            }
            if isEmpty { return nil }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    package func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        let path = path
        return try await access { db in
            try LedgerRow.page(db, after: key, limit: limit) { Self.damaged("a row fails its check", path: path) }
        }
    }

    package func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? {
        let path = path
        return try await access { db in
            try LedgerRow.find(key, in: db) { Self.damaged("a row fails its check", path: path) }
        }
    }

    package func close() throws(LedgerError) {
        do { try queue.close() } catch { throw Self.translate(error, path: path) }
    }

    private func access<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws(LedgerError) -> R
    {
        let result: Result<R, any Error> = await withCheckedContinuation { continuation in
            queue.asyncRead { database in
                continuation.resume(returning: Result { try body(database.get()) })
            }
        }
        do { return try result.get() } catch { throw Self.translate(error, path: path) }
    }

    private static func damaged(_ what: String, path: String) -> LedgerError {
        LedgerError(
            .damaged, path: path,
            message: "\(what); --no-ledger checks without it, and compares every object by what the stores report")
    }

    private static func translate(_ error: any Error, path: String) -> LedgerError {
        if let error = error as? LedgerError { return error }
        guard let error = error as? DatabaseError else { return LedgerError(.failed, path: path, message: "\(error)") }
        let text = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT: damaged(text, path: path)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            LedgerError(
                .inaccessible, path: path,
                message: "\(text); check its permissions and those of its folder, or use --no-ledger")
        default: LedgerError(.failed, path: path, message: text)
        }
    }
}
