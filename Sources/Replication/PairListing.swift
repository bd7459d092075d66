import Manifests
import ObjectStores
import ReplicationModel

/// Both sides of a pair and its ledger, as far as they lie below a prefix, in key order.
struct PairListing {
    let source: any ObjectStore
    let target: any ObjectStore
    let ledger: any Ledger
    /// Where pages are fetched; nil is the global executor.
    let executor: (any TaskExecutor)?

    private static let rowsPerPage = 1000

    /// - Parameters:
    ///   - prefix: empty, or ending in a slash.
    ///   - hereUnlistable: told about every name of the source that is no object.
    ///   - thereUnlistable: the same at the target.
    func join(
        below prefix: ObjectKey = ObjectKey([]), hereUnlistable: @escaping @Sendable (String, String) -> Void,
        thereUnlistable: @escaping @Sendable (String, String) -> Void
    ) -> MergeJoin {
        let here = ListingStream(
            source, side: .source, prefix: prefix, executor: executor, unlistable: hereUnlistable)
        let there = ListingStream(
            target, side: .target, prefix: prefix, executor: executor, unlistable: thereUnlistable)
        return MergeJoin(
            source: { try await here.nextPage() }, target: { try await there.nextPage() }, rows: rows(below: prefix))
    }

    private func rows(below prefix: ObjectKey) -> () async throws -> [LedgerRow]? {
        let ledger = ledger
        var after: ObjectKey? = prefix.isEmpty ? nil : prefix
        // A page begins after a key: the one that is the prefix itself comes by its name.
        var isFirst = !prefix.isEmpty
        var ended = false
        return {
            if isFirst {
                isFirst = false
                if let row = try await ledger.row(for: prefix) { return [row] }
            }
            guard !ended else { return nil }
            let page = try await ledger.rows(after: after, limit: Self.rowsPerPage)
            let within = prefix.isEmpty ? page[...] : page.prefix { $0.key.hasPrefix(prefix) }
            ended = within.count < Self.rowsPerPage
            after = within.last?.key ?? after
            return within.isEmpty ? nil : Array(within)
        }
    }
}
