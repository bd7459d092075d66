import Manifests
import ReplicationModel

/// What one commit of a staged target will contain, as the ledger will tell it: changes in the order in which they were recorded, and
/// the rows that announce replacements.
struct HeldChanges: Sendable {
    private(set) var changes: [LedgerChange] = []
    /// The rows to be written before the commit: which bytes replace what the target shows others now.
    private(set) var announced: [ObjectKey: LedgerRow] = [:]
    /// Where in `changes` the newest word on a key is.
    private var newest: [ObjectKey: Int] = [:]

    var count: Int { changes.count + announced.count }

    mutating func hold(_ change: LedgerChange) {
        switch change {
        case .record(let row): newest[row.key] = changes.count
        case .forget(let key): newest[key] = changes.count
        default: break
        }
        changes.append(change)
    }

    /// A key that is written twice before a commit goes from what others see to the last bytes at once.
    mutating func announce(_ row: LedgerRow) {
        var row = row
        if let earlier = announced[row.key] { row.targetVersion = earlier.targetVersion }
        announced[row.key] = row
    }

    /// The row of a key, `.some(nil)` for one that is forgotten; nil when nothing is held of it.
    func row(for key: ObjectKey) -> LedgerRow?? {
        guard let index = newest[key] else { return nil }
        if case .record(let row) = changes[index] { return .some(row) }
        return .some(nil)
    }
}

extension LedgerChange {
    /// The key of whose object at the target the change claims something; nil for what is true whatever becomes of a commit.
    var claimedKey: ObjectKey? {
        switch self {
        case .record(let row): row.key
        case .forget(let key), .recovered(let key): key
        case .segments(_, let key, _): key
        case .openUpload, .uploadedPart, .closeUpload, .failed: nil
        }
    }
}
