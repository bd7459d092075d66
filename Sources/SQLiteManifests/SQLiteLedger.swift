import Foundation
import GRDB
import GRDBSQLite
package import Manifests
package import ObjectStores
package import ReplicationModel

/// The embedded ledger: one SQLite database per pair, write-ahead log, every transaction durable when it returns.
///
/// Writes are not cancelled with the task that asks for them: an interrupted run still records what it has finished.
package final class SQLiteLedger: Ledger {
    private let queue: DatabaseQueue
    private let path: String

    /// Opens or makes the database. It belongs to the pair named by `source` and `target` and refuses to serve another.
    package init(path: String, source: String, target: String) throws(LedgerError) {
        self.path = path
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(10)
        configuration.label = "lockstep.ledger"
        try PrivateFile.make(path)
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            // After opening, because the library relaxes the first one for every database with a write-ahead log.
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;")
            }
            try queue.write { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard version <= LedgerSchema.version else {
                    throw LedgerError(
                        .newerFormat, path: path,
                        message:
                            "written by a newer version of lockstep (format \(version)); use that version, or another --state"
                    )
                }
                if version == 0 { try LedgerSchema.migrate(db) }
                for (name, value) in [("source", source), ("target", target)] {
                    let known = try String.fetchOne(db, sql: "SELECT value FROM pair WHERE name = ?", arguments: [name])
                    guard known == nil || known == value else {
                        throw LedgerError(
                            .otherPair, path: path,
                            message: "belongs to the pair with \(name) \(known ?? ""), not \(value)")
                    }
                    if known == nil { try db.execute(sql: "INSERT INTO pair VALUES (?, ?)", arguments: [name, value]) }
                }
            }
        } catch {
            throw Self.translate(error, path: path)
        }
    }

    package func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow] {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(LedgerRow.columns) FROM object WHERE key > ? ORDER BY key LIMIT ?")
            // Every BLOB is greater than the empty one, and no key is empty.
            try statement.setArguments([(key ?? ObjectKey([])).blob, limit])
            var rows: [LedgerRow] = []
            rows.reserveCapacity(limit)
            try statement.forEachRow { columns in
                // A damaged tree may lead in circles, and the caller would page through it for ever.
                guard let row = LedgerRow(columns),
                    rows.last.map({ $0.key < row.key }) ?? key.map({ $0 < row.key }) ?? true
                else { throw Self.damagedRow(path: path) }
                rows.append(row)
            }
            return rows
        }
    }

    package func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(sql: "SELECT \(LedgerRow.columns) FROM object WHERE key = ?")
            try statement.setArguments([key.blob])
            var found: LedgerRow?
            try statement.forEachRow { columns in
                guard let row = LedgerRow(columns) else { throw Self.damagedRow(path: path) }
                found = row
            }
            return found
        }
    }

    package func apply(_ changes: [LedgerChange]) async throws(LedgerError) {
        try await access { db in
            for change in changes {
                switch change {
                case .record(let row):
                    try row.insert(
                        db.cachedStatement(
                            sql: "INSERT OR REPLACE INTO object (\(LedgerRow.columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?)"))
                case .forget(let key):
                    try db.cachedStatement(sql: "DELETE FROM object WHERE key = ?").execute(arguments: [key.blob])
                case .openUpload(let session):
                    try session.insert(
                        db.cachedStatement(
                            sql: """
                                INSERT OR REPLACE INTO upload (handle, position, \(UploadSession.columns))
                                VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM upload), ?, ?)
                                """))
                case .closeUpload(let session):
                    try db.cachedStatement(sql: "DELETE FROM upload WHERE handle = ?").execute(arguments: [
                        session.handle
                    ])
                }
            }
        }
    }

    package func openUploads() async throws(LedgerError) -> [UploadSession] {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(sql: "SELECT \(UploadSession.columns) FROM upload ORDER BY position")
            var sessions: [UploadSession] = []
            try statement.forEachRow { columns in
                guard let session = try UploadSession(columns) else { throw Self.damagedRow(path: path) }
                sessions.append(session)
            }
            return sessions
        }
    }

    package func clearDeleteCandidates() async throws(LedgerError) {
        try await access { db in try db.execute(sql: "DELETE FROM delete_candidate") }
    }

    package func addDeleteCandidates(_ candidates: [DeleteCandidate]) async throws(LedgerError) {
        try await access { db in
            let statement = try db.cachedStatement(sql: "INSERT OR REPLACE INTO delete_candidate VALUES (?, ?, ?, ?)")
            for candidate in candidates { try candidate.insert(statement) }
        }
    }

    package func deleteCandidates(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [DeleteCandidate] {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(DeleteCandidate.columns) FROM delete_candidate WHERE key > ? ORDER BY key LIMIT ?")
            try statement.setArguments([(key ?? ObjectKey([])).blob, limit])
            var candidates: [DeleteCandidate] = []
            try statement.forEachRow { columns in
                guard let candidate = DeleteCandidate(columns),
                    candidates.last.map({ $0.key < candidate.key }) ?? key.map({ $0 < candidate.key }) ?? true
                else { throw Self.damagedRow(path: path) }
                candidates.append(candidate)
            }
            return candidates
        }
    }

    package func note(_ name: String) async throws(LedgerError) -> String? {
        try await access { db in
            try String.fetchOne(db, sql: "SELECT value FROM pair WHERE name = ?", arguments: ["note." + name])
        }
    }

    package func setNote(_ name: String, _ value: String?) async throws(LedgerError) {
        try await access { db in
            if let value {
                try db.execute(sql: "INSERT OR REPLACE INTO pair VALUES (?, ?)", arguments: ["note." + name, value])
            } else {
                try db.execute(sql: "DELETE FROM pair WHERE name = ?", arguments: ["note." + name])
            }
        }
    }

    package func count() async throws(LedgerError) -> Int {
        try await access { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM object") ?? 0 }
    }

    /// SQLite's `synchronous`: 2 is FULL.
    package func synchronousLevel() async throws(LedgerError) -> Int {
        try await access { db in try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? 0 }
    }

    package func close() async throws(LedgerError) {
        do { try queue.close() } catch { throw Self.translate(error, path: path) }
    }

    /// Runs on the database's own queue, in one transaction, to its end even if the task is cancelled.
    private func access<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws(LedgerError) -> R
    {
        let result: Result<R, any Error> = await withCheckedContinuation { continuation in
            queue.asyncWrite(body) { _, result in continuation.resume(returning: result) }
        }
        do { return try result.get() } catch { throw Self.translate(error, path: path) }
    }

    private static func damagedRow(path: String) -> LedgerError {
        LedgerError(
            .damaged, path: path,
            message:
                "a row fails its check; move the file away: the next run compares both sides by their checksums and rebuilds it"
        )
    }

    private static func translate(_ error: any Error, path: String) -> LedgerError {
        if let error = error as? LedgerError { return error }
        guard let error = error as? DatabaseError else { return LedgerError(.failed, path: path, message: "\(error)") }
        let text = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        return switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
            LedgerError(
                .damaged, path: path,
                message:
                    "\(text); move the file away: the next run compares both sides by their checksums and rebuilds it")
        case .SQLITE_FULL: LedgerError(.noSpace, path: path, message: "no space left for the ledger (\(text))")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            LedgerError(
                .inaccessible, path: path,
                message: "\(text); check the path and its permissions, or name another --state")
        case .SQLITE_IOERR where text.contains("full"): LedgerError(.noSpace, path: path, message: text)
        default: LedgerError(.failed, path: path, message: text)
        }
    }
}
