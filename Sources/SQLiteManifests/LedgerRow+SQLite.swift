import GRDB
import GRDBSQLite
import Manifests
import ReplicationModel

extension LedgerRow {
    static let columns =
        "key, source_version, source_modified, target_version, size, crc32c, crc64nvme, md5, evidence, verified_at, row_check, attributes, blake3"

    private var check: Int64 {
        var check = RowCheck()
        check.append(key.bytes)
        check.append(sourceVersion.text.utf8)
        check.append(targetVersion.text.utf8)
        check.append(sourceModified)
        check.append(size)
        check.append(checksums.crc32c.map { Int64($0) } ?? -1)
        check.append(checksums.crc64nvme == nil ? 0 : 1)
        check.append(Int64(bitPattern: checksums.crc64nvme ?? 0))
        check.append(checksums.md5 == nil ? 0 : 1)
        check.append(checksums.md5 ?? [])
        check.append(Int64(evidence.rawValue))
        check.append(verifiedAt)
        // Rows of the first format have neither, and their check stays as it was.
        if let attributes {
            check.append(1)
            check.append(attributes.json.utf8)
        }
        if let blake3 {
            check.append(2)
            check.append(blake3)
        }
        return check.value
    }

    func insert(_ statement: Statement) throws {
        try statement.execute(arguments: [
            key.blob, sourceVersion.text, sourceModified, targetVersion.text, size,
            checksums.crc32c.map { Int64($0) }, checksums.crc64nvme.map { Int64(bitPattern: $0) },
            checksums.md5.map { Blob($0) },
            evidence.rawValue, verifiedAt, check, attributes?.json, blake3.map { Blob($0) },
        ])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) {
        guard let evidence = EvidenceLevel(rawValue: Int(sqlite3_column_int64(statement, 8))) else { return nil }
        func isNull(_ index: Int32) -> Bool { sqlite3_column_type(statement, index) == SQLITE_NULL }
        func optional(_ index: Int32) -> Int64? { isNull(index) ? nil : sqlite3_column_int64(statement, index) }
        let md5 = isNull(7) ? nil : Blob.read(statement, 7)
        self.init(
            key: ObjectKey(Blob.read(statement, 0)), sourceVersion: VersionToken(Blob.text(statement, 1)),
            sourceModified: sqlite3_column_int64(statement, 2), targetVersion: VersionToken(Blob.text(statement, 3)),
            size: sqlite3_column_int64(statement, 4),
            checksums: ObjectChecksums(
                crc32c: optional(5).map { UInt32(truncatingIfNeeded: $0) },
                crc64nvme: optional(6).map { UInt64(bitPattern: $0) }, md5: md5),
            evidence: evidence, verifiedAt: sqlite3_column_int64(statement, 9),
            attributes: isNull(11) ? nil : EncodedAttributes(json: Blob.text(statement, 11)),
            blake3: isNull(12) ? nil : Blob.read(statement, 12))
        guard check == sqlite3_column_int64(statement, 10) else { return nil }
    }

    /// Rows after `key` in key order. Throws what `damaged` makes when one fails its check.
    static func page(
        _ db: Database, after key: ObjectKey?, limit: Int, damaged: () -> LedgerError
    ) throws -> [LedgerRow] {
        let statement = try db.cachedStatement(
            sql: "SELECT \(columns) FROM object WHERE key > ? ORDER BY key LIMIT ?")
        // Every BLOB is greater than the empty one, and no key is empty.
        try statement.setArguments([(key ?? ObjectKey([])).blob, limit])
        var rows: [LedgerRow] = []
        rows.reserveCapacity(limit)
        try statement.forEachRow { columns in
            // A damaged tree may lead in circles, and the caller would page through it for ever.
            guard let row = LedgerRow(columns), rows.last.map({ $0.key < row.key }) ?? key.map({ $0 < row.key }) ?? true
            else { throw damaged() }
            rows.append(row)
        }
        return rows
    }

    static func find(_ key: ObjectKey, in db: Database, damaged: () -> LedgerError) throws -> LedgerRow? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM object WHERE key = ?")
        try statement.setArguments([key.blob])
        var found: LedgerRow?
        try statement.forEachRow { columns in
            guard let row = LedgerRow(columns) else { throw damaged() }
            found = row
        }
        return found
    }
}
