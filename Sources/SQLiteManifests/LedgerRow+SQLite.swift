import Digests
import GRDB
import GRDBSQLite
import Manifests
import ReplicationModel

extension LedgerRow {
    static let columns =
        "key, source_version, source_modified, target_version, size, crc32c, crc64nvme, md5, evidence, verified_at, row_check"

    /// XXH3 over every column: SQLite does not notice a flipped bit inside a value.
    var check: Int64 {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128 + key.bytes.count)
        func append(_ field: some Collection<UInt8>) {
            withUnsafeBytes(of: UInt32(field.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: field)
        }
        func append(_ number: Int64) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(key.bytes)
        append(sourceVersion.text.utf8)
        append(targetVersion.text.utf8)
        append(sourceModified)
        append(size)
        append(checksums.crc32c.map { Int64($0) } ?? -1)
        append(checksums.crc64nvme == nil ? 0 : 1)
        append(Int64(bitPattern: checksums.crc64nvme ?? 0))
        append(checksums.md5 ?? [])
        append(Int64(evidence.rawValue))
        append(verifiedAt)
        return Int64(bitPattern: bytes.withUnsafeBytes { XXH3.hash64($0) })
    }

    func insert(_ statement: Statement) throws {
        try statement.execute(arguments: [
            key.blob, sourceVersion.text, sourceModified, targetVersion.text, size,
            checksums.crc32c.map { Int64($0) }, checksums.crc64nvme.map { Int64(bitPattern: $0) }, checksums.md5.map { Blob($0) },
            evidence.rawValue, verifiedAt, check,
        ])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) {
        guard let evidence = EvidenceLevel(rawValue: Int(sqlite3_column_int64(statement, 8))) else { return nil }
        func optional(_ index: Int32) -> Int64? {
            sqlite3_column_type(statement, index) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, index)
        }
        let md5 = sqlite3_column_type(statement, 7) == SQLITE_NULL ? nil : Blob.read(statement, 7)
        self.init(
            key: ObjectKey(Blob.read(statement, 0)), sourceVersion: VersionToken(Blob.text(statement, 1)),
            sourceModified: sqlite3_column_int64(statement, 2), targetVersion: VersionToken(Blob.text(statement, 3)),
            size: sqlite3_column_int64(statement, 4),
            checksums: ObjectChecksums(
                crc32c: optional(5).map { UInt32(truncatingIfNeeded: $0) },
                crc64nvme: optional(6).map { UInt64(bitPattern: $0) }, md5: md5),
            evidence: evidence, verifiedAt: sqlite3_column_int64(statement, 9))
        guard check == sqlite3_column_int64(statement, 10) else { return nil }
    }
}
