import Digests
import Foundation
import GRDB
import GRDBSQLite
import Manifests
import ObjectStores
import ReplicationModel

extension UploadRecord {
    static let columns = "record, row_check"
    static let insertion = """
        INSERT OR REPLACE INTO upload (handle, position, \(columns))
        VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM upload), ?, ?)
        """

    private static func check(_ record: some Collection<UInt8>) -> Int64 {
        var check = RowCheck()
        check.append(record)
        return check.value
    }

    func insert(_ statement: Statement) throws {
        let record = try JSONEncoder().encode(self)
        try statement.execute(arguments: [session.handle, record, Self.check(record)])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement) throws {
        let record = Blob.read(statement, 0)
        guard Self.check(record) == sqlite3_column_int64(statement, 1) else { return nil }
        self = try JSONDecoder().decode(UploadRecord.self, from: Data(record))
    }
}

extension RecordedPart {
    static let columns = "number, offset, size, crc32c, crc64nvme, tag, row_check"

    private func check(_ handle: String) -> Int64 {
        var check = RowCheck()
        check.append(handle.utf8)
        check.append(Int64(number))
        check.append(offset)
        check.append(digest)
        check.append(tag.utf8)
        return check.value
    }

    func insert(_ handle: String, _ statement: Statement) throws {
        try statement.execute(arguments: [
            handle, number, offset, digest.length, Int64(digest.crc32c), Int64(bitPattern: digest.crc64nvme), tag,
            check(handle),
        ])
    }

    /// The row that the statement stands on, in the order of `columns`; nil when its check fails.
    init?(_ statement: SQLiteStatement, of handle: String) {
        guard let digest = ContentDigest(statement, at: 2) else { return nil }
        self.init(
            number: Int(sqlite3_column_int64(statement, 0)), offset: sqlite3_column_int64(statement, 1), digest: digest,
            tag: Blob.text(statement, 5))
        guard check(handle) == sqlite3_column_int64(statement, 6) else { return nil }
    }
}

extension RowCheck {
    mutating func append(_ digest: ContentDigest) {
        append(digest.length)
        append(Int64(digest.crc32c))
        append(Int64(bitPattern: digest.crc64nvme))
    }
}

extension ContentDigest {
    /// Three columns from `index` on: size, CRC-32C, CRC-64/NVME.
    init?(_ statement: SQLiteStatement, at index: Int32) {
        guard let crc32c = UInt32(exactly: sqlite3_column_int64(statement, index + 1)) else { return nil }
        let length = sqlite3_column_int64(statement, index)
        guard length >= 0 else { return nil }
        self.init(
            crc32c: crc32c, crc64nvme: UInt64(bitPattern: sqlite3_column_int64(statement, index + 2)), length: length)
    }
}
