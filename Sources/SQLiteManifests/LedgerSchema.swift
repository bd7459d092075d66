import GRDB

/// The tables of one pair's database. A change of a table is a new migration; migrations that were ever released never change.
enum LedgerSchema {
    /// Highest migration this program knows; a database with a higher one is refused, not guessed at.
    static let version = 1

    static func migrate(_ db: Database) throws {
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

                PRAGMA user_version = 1;
                """)
    }
}
