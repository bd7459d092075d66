import Digests
import GRDB
import GRDBSQLite
import Manifests
import ReplicationModel

extension SegmentLocation {
    static let columns = "key, target_version, offset, size, crc32c, crc64nvme, blake3, row_check"

    private var check: Int64 {
        var check = RowCheck()
        check.append(key.bytes)
        check.append(version.text.utf8)
        check.append(segment.offset)
        check.append(segment.digest)
        check.append(segment.blake3)
        return check.value
    }

    func insert(_ statement: Statement) throws {
        let digest = segment.digest
        try statement.execute(arguments: [
            key.blob, version.text, segment.offset, digest.length, Int64(digest.crc32c),
            Int64(bitPattern: digest.crc64nvme), Blob(segment.blake3), check,
        ])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) {
        guard let digest = ContentDigest(statement, at: 3) else { return nil }
        self.init(
            key: ObjectKey(Blob.read(statement, 0)), version: VersionToken(Blob.text(statement, 1)),
            segment: ContentSegment(
                offset: sqlite3_column_int64(statement, 2), digest: digest, blake3: Blob.read(statement, 6)))
        guard check == sqlite3_column_int64(statement, 7) else { return nil }
    }
}
