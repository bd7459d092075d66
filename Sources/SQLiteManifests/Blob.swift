import Foundation
import GRDB
import GRDBSQLite
import ReplicationModel

/// Bytes as a SQLite BLOB.
struct Blob: DatabaseValueConvertible {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var databaseValue: DatabaseValue { Data(bytes).databaseValue }

    static func fromDatabaseValue(_ value: DatabaseValue) -> Blob? {
        Data.fromDatabaseValue(value).map { Blob(Array($0)) }
    }

    /// Column `index` of the row that the statement stands on, without a detour over `Data`.
    static func read(_ statement: SQLiteStatement, _ index: Int32) -> [UInt8] {
        let count = Int(sqlite3_column_bytes(statement, index))
        guard count > 0, let base = sqlite3_column_blob(statement, index) else { return [] }
        return Array(UnsafeRawBufferPointer(start: base, count: count))
    }

    static func text(_ statement: SQLiteStatement, _ index: Int32) -> String {
        guard let base = sqlite3_column_text(statement, index) else { return "" }
        let bytes = UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, index)))
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ObjectKey {
    var blob: Blob { Blob(bytes) }
}
