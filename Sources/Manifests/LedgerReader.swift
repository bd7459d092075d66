package import ReplicationModel

/// The rows of a ledger or of a published manifest, for those who only read.
package protocol LedgerReader: Sendable {
    /// Rows after `key` (exclusive; nil: from the first) in key order, at most `limit`. Fewer means the end.
    func rows(after key: ObjectKey?, limit: Int) async throws(LedgerError) -> [LedgerRow]

    func row(for key: ObjectKey) async throws(LedgerError) -> LedgerRow?
}
