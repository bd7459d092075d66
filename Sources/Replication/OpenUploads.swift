import Manifests
import ObjectStores
import ReplicationModel
import Synchronization

/// The uploads that earlier runs left open at the target, until one of this run takes them up.
final class OpenUploads: Sendable {
    /// After so long a store may have thrown parts away: Azure drops uncommitted blocks after a week, Cloud Storage its sessions.
    static let usefulSeconds: Int64 = 6 * 86_400

    private let records: Mutex<[ObjectKey: [UploadRecord]]>

    init(_ records: [UploadRecord]) {
        self.records = Mutex(Dictionary(grouping: records) { $0.session.key })
    }

    /// Takes out those of one key, the newest first.
    func take(_ key: ObjectKey) -> [UploadRecord] {
        records.withLock { $0.removeValue(forKey: key) ?? [] }.reversed()
    }

    /// Takes out those that nobody took and that `isWanted` names, in key order.
    func takeRest(where isWanted: (UploadRecord) -> Bool) -> [UploadRecord] {
        records.withLock { records in
            let rest = records.keys.sorted().flatMap { records[$0]! }.filter(isWanted)
            for record in rest { records[record.session.key] = nil }
            return rest
        }
    }
}
