import Manifests
import ObjectStores
import ReplicationModel

/// What is known of one key on all three sides.
struct JoinedKey {
    var key: ObjectKey
    var source: ListedObject?
    var target: ListedObject?
    var row: LedgerRow?
}

/// Something that is found by its key.
protocol Keyed {
    var key: ObjectKey { get }
}

extension ListedObject: Keyed {}
extension LedgerRow: Keyed {}

/// The streaming merge-join of both listings and the ledger, by key bytes. Holds one page of each.
struct MergeJoin: ~Copyable {
    private var source: Cursor<ListedObject>
    private var target: Cursor<ListedObject>
    private var rows: Cursor<LedgerRow>

    init(
        source: @escaping () async throws -> [ListedObject]?, target: @escaping () async throws -> [ListedObject]?,
        rows: @escaping () async throws -> [LedgerRow]?
    ) {
        self.source = Cursor(source)
        self.target = Cursor(target)
        self.rows = Cursor(rows)
    }

    /// The next key of any side; nil when all three have ended.
    mutating func next() async throws -> JoinedKey? {
        // The page boundary is the only place that waits; within a page the join is plain array work.
        if source.needsPage { try await source.refill() }
        if target.needsPage { try await target.refill() }
        if rows.needsPage { try await rows.refill() }
        var least = source.current?.key
        if let key = target.current?.key, least.map({ key < $0 }) ?? true { least = key }
        if let key = rows.current?.key, least.map({ key < $0 }) ?? true { least = key }
        guard let least else { return nil }
        return JoinedKey(key: least, source: source.take(least), target: target.take(least), row: rows.take(least))
    }

    private struct Cursor<Element: Keyed> {
        private let fetch: () async throws -> [Element]?
        private var page: [Element] = []
        private var index = 0
        private var ended = false

        init(_ fetch: @escaping () async throws -> [Element]?) {
            self.fetch = fetch
        }

        var needsPage: Bool { !ended && index == page.count }
        var current: Element? { index < page.count ? page[index] : nil }

        mutating func refill() async throws {
            index = 0
            guard let next = try await fetch() else {
                page = []
                ended = true
                return
            }
            page = next
        }

        mutating func take(_ wanted: ObjectKey) -> Element? {
            guard let current, current.key == wanted else { return nil }
            index += 1
            return current
        }
    }
}
