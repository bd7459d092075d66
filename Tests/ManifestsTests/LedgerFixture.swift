import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests

/// A directory of its own for one test's ledger.
final class LedgerFixture: Sendable {
    let directory: String
    var path: String { directory + "/pair.sqlite" }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: directory) } catch {
            print("left behind: \(directory): \(error)")
        }
    }

    func open(source: String = "s3://a/", target: String = "gs://b/") throws(LedgerError) -> SQLiteLedger {
        try SQLiteLedger(path: path, source: source, target: target)
    }

    /// Changes the closed database's bytes.
    func tamper(_ change: (inout Data) -> Void) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        change(&bytes)
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    /// Permission bits of a file in the directory.
    static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    static func row(_ key: ObjectKey, number: Int = 1) -> LedgerRow {
        LedgerRow(
            key: key, sourceVersion: VersionToken("source-\(number)"), sourceModified: Int64(number) * 1_000_000_007,
            targetVersion: VersionToken("target-\(number)"), size: Int64(number) << 20,
            checksums: ObjectChecksums(
                crc32c: number % 2 == 0 ? nil : UInt32(truncatingIfNeeded: number &* 2_654_435_761),
                crc64nvme: number % 3 == 0 ? nil : UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15,
                md5: number % 5 == 0 ? (0..<16).map { UInt8(truncatingIfNeeded: number + $0) } : nil),
            evidence: number % 2 == 0 ? .reported : .reread, verifiedAt: 1_700_000_000 + Int64(number),
            attributes: number % 7 == 0 ? nil : EncodedAttributes(ObjectAttributes(contentType: "text/plain")),
            blake3: number % 11 == 0 ? [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32) : nil)
    }

    static func upload(_ session: UploadSession) -> UploadRecord {
        UploadRecord(
            session: session, sourceVersion: VersionToken("source-1"), condition: .matches(VersionToken("target-1")),
            attributes: ObjectAttributes(contentType: "text/plain", userMetadata: ["a": "b"]), isCutByContent: true,
            openedAt: 1_700_000_000)
    }
}
