import GRDB
import GRDBSQLite
import Manifests
import ReplicationModel

extension DeleteCandidate {
    static let columns = "key, target_version, size, row_check"

    private var check: Int64 {
        var check = RowCheck()
        check.append(key.bytes)
        check.append(targetVersion.text.utf8)
        check.append(size)
        return check.value
    }

    func insert(_ statement: Statement) throws {
        try statement.execute(arguments: [key.blob, targetVersion.text, size, check])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) {
        self.init(
            key: ObjectKey(Blob.read(statement, 0)), targetVersion: VersionToken(Blob.text(statement, 1)),
            size: sqlite3_column_int64(statement, 2))
        guard check == sqlite3_column_int64(statement, 3) else { return nil }
    }
}
