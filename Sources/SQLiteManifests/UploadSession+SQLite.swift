import Foundation
import GRDB
import GRDBSQLite
import ObjectStores

extension UploadSession {
    static let columns = "session, row_check"

    private static func check(_ session: some Collection<UInt8>) -> Int64 {
        var check = RowCheck()
        check.append(session)
        return check.value
    }

    func insert(_ statement: Statement) throws {
        let session = try JSONEncoder().encode(self)
        try statement.execute(arguments: [handle, session, Self.check(session)])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) throws {
        let session = Blob.read(statement, 0)
        guard Self.check(session) == sqlite3_column_int64(statement, 1) else { return nil }
        self = try JSONDecoder().decode(UploadSession.self, from: Data(session))
    }
}
