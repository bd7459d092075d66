import Foundation
import GRDB
import Manifests
import ObjectStores
import ReplicationModel

/// The tables of one pair's database. A change of a table is a new migration; migrations that were ever released never change.
enum LedgerSchema {
    /// Highest migration this program knows; a database with a higher one is refused, not guessed at.
    static let version = migrations.count

    private static let migrations: [@Sendable (Database) throws -> Void] = [makeTables, addResumption]

    static func migrate(_ db: Database, from known: Int) throws {
        for migration in migrations[known...] { try migration(db) }
        try db.execute(sql: "PRAGMA user_version = \(version)")
    }

    private static func makeTables(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE pair (
                    name TEXT PRIMARY KEY NOT NULL,
                    value TEXT NOT NULL
                ) WITHOUT ROWID;

                -- One row per replicated key, in the order of the key's bytes (BLOBs compare by memcmp).
                CREATE TABLE object (
                    key BLOB PRIMARY KEY NOT NULL,
                    source_version TEXT NOT NULL,
                    source_modified INTEGER NOT NULL,
                    target_version TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    crc32c INTEGER,
                    crc64nvme INTEGER,
                    md5 BLOB,
                    evidence INTEGER NOT NULL,
                    verified_at INTEGER NOT NULL,
                    row_check INTEGER NOT NULL
                ) WITHOUT ROWID;

                -- Intent: uploads that are open at the target. A session may hold a session URI, hence the file's mode 0600.
                CREATE TABLE upload (
                    handle TEXT PRIMARY KEY NOT NULL,
                    position INTEGER NOT NULL,
                    session BLOB NOT NULL,
                    row_check INTEGER NOT NULL
                ) WITHOUT ROWID;

                CREATE TABLE delete_candidate (
                    key BLOB PRIMARY KEY NOT NULL,
                    target_version TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    row_check INTEGER NOT NULL
                ) WITHOUT ROWID;
                """)
    }

    private static func addResumption(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE object ADD COLUMN attributes TEXT;
                ALTER TABLE object ADD COLUMN blake3 BLOB;
                ALTER TABLE upload RENAME COLUMN session TO record;

                -- Observations: parts of open uploads that the target has confirmed.
                CREATE TABLE upload_part (
                    handle TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    offset INTEGER NOT NULL,
                    size INTEGER NOT NULL,
                    crc32c INTEGER NOT NULL,
                    crc64nvme INTEGER NOT NULL,
                    tag TEXT NOT NULL,
                    row_check INTEGER NOT NULL,
                    PRIMARY KEY (handle, number)
                ) WITHOUT ROWID;

                CREATE TABLE failure (
                    key BLOB PRIMARY KEY NOT NULL,
                    message TEXT NOT NULL,
                    attempts INTEGER NOT NULL,
                    since INTEGER NOT NULL
                ) WITHOUT ROWID;

                -- How large objects at the target are cut by content.
                CREATE TABLE segment (
                    key BLOB NOT NULL,
                    offset INTEGER NOT NULL,
                    target_version TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    blake3 BLOB NOT NULL,
                    crc32c INTEGER NOT NULL,
                    crc64nvme INTEGER NOT NULL,
                    row_check INTEGER NOT NULL,
                    PRIMARY KEY (key, offset)
                ) WITHOUT ROWID;
                CREATE INDEX segment_content ON segment (blake3);

                INSERT INTO pair VALUES ('revision', '0');
                """)
        try keepSessions(db)
    }

    /// Sessions of the first format do not say which source version they are for: they can be aborted, not continued.
    private static func keepSessions(_ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "SELECT record FROM upload ORDER BY position") {
            let session = try JSONDecoder().decode(UploadSession.self, from: row["record"])
            let record = UploadRecord(
                session: session, sourceVersion: VersionToken(""), condition: .absent, attributes: ObjectAttributes(),
                isCutByContent: false, openedAt: 0)
            try db.execute(sql: "DELETE FROM upload WHERE handle = ?", arguments: [session.handle])
            try record.insert(db.cachedStatement(sql: UploadRecord.insertion))
        }
    }
}
