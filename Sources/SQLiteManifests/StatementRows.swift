import GRDB
import GRDBSQLite

extension Statement {
    /// Steps through all rows, read column by column from SQLite itself: listings of a ledger have millions of them.
    /// The arguments must be set; afterwards the statement is reset, so that the cache can hand it out again.
    func forEachRow(_ body: (SQLiteStatement) throws -> Void) throws {
        defer { sqlite3_reset(sqliteStatement) }
        while true {
            switch sqlite3_step(sqliteStatement) {
            case SQLITE_ROW: try body(sqliteStatement)
            case SQLITE_DONE: return
            case let code:
                let message = sqlite3_db_handle(sqliteStatement).map { String(cString: sqlite3_errmsg($0)) }
                throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
            }
        }
    }
}
