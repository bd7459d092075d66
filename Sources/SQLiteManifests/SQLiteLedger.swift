import Foundation
import GRDB
import GRDBSQLite
package import Manifests
package import ObjectStores
package import ReplicationModel
import Synchronization

/// The embedded ledger: one SQLite database per pair, write-ahead log, every transaction durable when it returns.
///
/// Writes are not cancelled with the task that asks for them: an interrupted run still records what it has finished.
package final class SQLiteLedger: Ledger {
    private let queue: DatabaseQueue
    private let path: String
    /// The epoch of the lease that this object took; 0 without one.
    private let epoch = Atomic<Int64>(0)

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
                guard version >= 0 else { throw Self.damagedRow(path: path) }
                guard version <= LedgerSchema.version else {
                    throw LedgerError(
                        .newerFormat, path: path,
                        message:
                            "written by a newer version of lockstep (format \(version)); use that version, or another --state"
                    )
                }
                if version < LedgerSchema.version { try LedgerSchema.migrate(db, from: version) }
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
            try LedgerRow.page(db, after: key, limit: limit) { Self.damagedRow(path: path) }
        }
    }

    package func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow? {
        let path = path
        return try await access { db in
            try LedgerRow.find(key, in: db) { Self.damagedRow(path: path) }
        }
    }

    package func apply(_ changes: [LedgerChange]) async throws(LedgerError) {
        try await change { db in
            var changesRows = false
            for change in changes {
                try Self.apply(change, db)
                switch change {
                case .record, .forget: changesRows = true
                default: break
                }
            }
            if changesRows {
                try db.cachedStatement(sql: "UPDATE pair SET value = value + 1 WHERE name = 'revision'").execute()
            }
        }
    }

    private static func apply(_ change: LedgerChange, _ db: Database) throws {
        switch change {
        case .record(let row):
            try row.insert(
                db.cachedStatement(
                    sql: "INSERT OR REPLACE INTO object (\(LedgerRow.columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"))
        case .forget(let key):
            for table in ["object", "failure", "segment"] {
                try db.cachedStatement(sql: "DELETE FROM \(table) WHERE key = ?").execute(arguments: [key.blob])
            }
        case .openUpload(let record): try record.insert(db.cachedStatement(sql: UploadRecord.insertion))
        case .uploadedPart(let part, let session):
            try part.insert(
                session.handle,
                db.cachedStatement(
                    sql:
                        "INSERT OR REPLACE INTO upload_part (handle, \(RecordedPart.columns)) VALUES (?,?,?,?,?,?,?,?)")
            )
        case .closeUpload(let session):
            for table in ["upload", "upload_part"] {
                try db.cachedStatement(sql: "DELETE FROM \(table) WHERE handle = ?")
                    .execute(arguments: [session.handle])
            }
        case .failed(let key, let message, let now):
            try db.cachedStatement(
                sql: """
                    INSERT INTO failure VALUES (?, ?, 1, ?)
                    ON CONFLICT (key) DO UPDATE SET message = excluded.message, attempts = attempts + 1
                    """
            ).execute(arguments: [key.blob, message, now])
        case .recovered(let key):
            try db.cachedStatement(sql: "DELETE FROM failure WHERE key = ?").execute(arguments: [key.blob])
        case .segments(let segments, let key, let version):
            try db.cachedStatement(sql: "DELETE FROM segment WHERE key = ?").execute(arguments: [key.blob])
            let statement = try db.cachedStatement(
                sql: "INSERT INTO segment (\(SegmentLocation.columns)) VALUES (?,?,?,?,?,?,?,?)")
            for segment in segments {
                try SegmentLocation(key: key, version: version, segment: segment).insert(statement)
            }
        }
    }

    package func revision() async throws(LedgerError) -> Int64 {
        try await access { db in
            try Int64.fetchOne(db, sql: "SELECT CAST(value AS INTEGER) FROM pair WHERE name = 'revision'") ?? 0
        }
    }

    package func openUploads() async throws(LedgerError) -> [UploadRecord] {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(sql: "SELECT \(UploadRecord.columns) FROM upload ORDER BY position")
            var records: [UploadRecord] = []
            try statement.forEachRow { columns in
                guard let record = try UploadRecord(columns) else { throw Self.damagedRow(path: path) }
                records.append(record)
            }
            return records
        }
    }

    package func parts(of session: UploadSession) async throws(LedgerError) -> [RecordedPart] {
        let path = path
        return try await access { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordedPart.columns) FROM upload_part WHERE handle = ? ORDER BY number")
            try statement.setArguments([session.handle])
            var parts: [RecordedPart] = []
            try statement.forEachRow { columns in
                guard let part = RecordedPart(columns, of: session.handle) else { throw Self.damagedRow(path: path) }
                parts.append(part)
            }
            return parts
        }
    }

    package func failures(limit: Int) async throws(LedgerError) -> [FailedKey] {
        try await access { db in
            let statement = try db.cachedStatement(
                sql: "SELECT key, message, attempts, since FROM failure ORDER BY since, key LIMIT ?")
            try statement.setArguments([limit])
            var failures: [FailedKey] = []
            try statement.forEachRow { columns in
                failures.append(
                    FailedKey(
                        key: ObjectKey(Blob.read(columns, 0)), message: Blob.text(columns, 1),
                        attempts: Int(sqlite3_column_int64(columns, 2)), since: sqlite3_column_int64(columns, 3)))
            }
            return failures
        }
    }

    package func segment(blake3: [UInt8], size: Int64) async throws(LedgerError) -> SegmentLocation? {
        let path = path
        return try await access { db in
            let columns = SegmentLocation.columns.split(separator: ", ").map { "segment.\($0)" }
            let statement = try db.cachedStatement(
                sql: """
                    SELECT \(columns.joined(separator: ", ")) FROM segment JOIN object USING (key)
                    WHERE segment.blake3 = ? AND segment.size = ? AND object.target_version = segment.target_version
                        AND object.evidence > 0 LIMIT 1
                    """)
            try statement.setArguments([Blob(blake3), size])
            var found: SegmentLocation?
            try statement.forEachRow { columns in
                guard let location = SegmentLocation(columns) else { throw Self.damagedRow(path: path) }
                found = location
            }
            return found
        }
    }

    package func clearDeleteCandidates() async throws(LedgerError) {
        try await change { db in try db.execute(sql: "DELETE FROM delete_candidate") }
    }

    package func addDeleteCandidates(_ candidates: [DeleteCandidate]) async throws(LedgerError) {
        try await change { db in
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
        try await change { db in
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

    /// A transaction that changes something: refused when another process has taken the pair meanwhile.
    func change<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws(LedgerError) -> R {
        let held = epoch.load(ordering: .acquiring)
        let path = path
        return try await access { db in
            if held > 0, try Self.storedLease(db)?.epoch != held { throw Self.fenced(path: path) }
            return try body(db)
        }
    }

    func hold(epoch: Int64) { self.epoch.store(epoch, ordering: .releasing) }

    static func fenced(path: String) -> LedgerError {
        LedgerError(
            .fenced, path: path,
            message: "another run has taken over this pair, because this one did not show a sign of life for too long")
    }

    /// Runs on the database's own queue, in one transaction, to its end even if the task is cancelled.
    func access<R: Sendable>(_ body: @escaping @Sendable (Database) throws -> R) async throws(LedgerError) -> R {
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
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            LedgerError(.busy, path: path, message: "another process holds the database (\(text)); try again later")
        // The index of the write-ahead log is a file too, and failing to grow it has no other cause.
        case .SQLITE_FULL,
            .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE:
            LedgerError(.noSpace, path: path, message: "no space left for the ledger (\(text))")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            LedgerError(
                .inaccessible, path: path,
                message: "\(text); check the path and its permissions, or name another --state")
        default: LedgerError(.failed, path: path, message: text)
        }
    }
}
