import Foundation
import GRDB
import GRDBSQLite
package import Manifests
import ObjectStores

extension StateDirectory {
    /// An upload that the ledger of some pair knows.
    package struct OwnedUpload: Sendable {
        /// The identity of the pair's target.
        package let target: String
        package let record: UploadRecord
    }

    /// The open uploads of all pairs in the directory. Reads only, and takes no lease.
    package static func openUploads(in path: String) throws(LedgerError) -> [OwnedUpload] {
        let names: [String]
        do {
            guard FileManager.default.fileExists(atPath: path) else { return [] }
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw LedgerError(.inaccessible, path: path, message: error.localizedDescription)
        }
        var uploads: [OwnedUpload] = []
        for name in names.sorted() where name.hasSuffix(".sqlite") {
            uploads += try openUploads(ofLedger: path + "/" + name)
        }
        return uploads
    }

    private static func openUploads(ofLedger path: String) throws(LedgerError) -> [OwnedUpload] {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            return try queue.read { db in
                guard try Int.fetchOne(db, sql: "PRAGMA user_version") == LedgerSchema.version else {
                    throw LedgerError(
                        .newerFormat, path: path,
                        message: "written by another version of lockstep: its uploads are not known; sync its pair, "
                            + "or move the file away")
                }
                let target = try String.fetchOne(db, sql: "SELECT value FROM pair WHERE name = 'target'") ?? ""
                let statement = try db.cachedStatement(
                    sql: "SELECT \(UploadRecord.columns) FROM upload ORDER BY position")
                var uploads: [OwnedUpload] = []
                try statement.forEachRow { columns in
                    guard let record = try UploadRecord(columns) else {
                        throw LedgerError(.damaged, path: path, message: "a row fails its check")
                    }
                    uploads.append(OwnedUpload(target: target, record: record))
                }
                return uploads
            }
        } catch let error as LedgerError {
            throw error
        } catch {
            throw LedgerError(.inaccessible, path: path, message: "\(error)")
        }
    }
}
