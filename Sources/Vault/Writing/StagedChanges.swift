import ReplicationModel

/// What one writer has done to the objects of a vault and nobody else can see yet: the last change of each key, in key order.
struct StagedChanges: Sendable {
    struct Change: Sendable {
        /// nil: the object is deleted.
        var entry: VaultEntry?
        /// All chunks of the object, the list's own included where there is one: what must still be there when it is committed.
        var references: [ChunkReference]
        /// What the committed state held under the key when it was first changed; nil: nothing.
        var replaces: VersionToken?
    }

    private var changes: [ObjectKey: Change] = [:]
    /// Sorted. Keys arrive in nearly this order, so that an insertion moves few of them.
    private var order: [ObjectKey] = []
    private(set) var references = 0

    var isEmpty: Bool { order.isEmpty }
    var count: Int { order.count }

    subscript(key: ObjectKey) -> Change? { changes[key] }

    /// - Parameter change: its `replaces` counts only when the key has not been changed before.
    mutating func stage(_ change: Change, for key: ObjectKey) {
        var change = change
        references += change.references.count
        if let earlier = changes[key] {
            references -= earlier.references.count
            change.replaces = earlier.replaces
        } else {
            order.insert(key, at: place(of: key))
        }
        changes[key] = change
    }

    mutating func remove(_ key: ObjectKey) {
        guard let change = changes.removeValue(forKey: key) else { return }
        references -= change.references.count
        order.remove(at: place(of: key))
    }

    /// Takes over changes that were made after these.
    mutating func append(_ later: StagedChanges) {
        for key in later.order { stage(later.changes[key]!, for: key) }
    }

    var sorted: [(key: ObjectKey, change: Change)] { order.map { ($0, changes[$0]!) } }

    /// Changed keys with the prefix, after `key` (exclusive) and up to `last` (inclusive; nil: to the end), at most `limit`.
    func keys(prefix: ObjectKey, after key: ObjectKey?, upTo last: ObjectKey?, limit: Int) -> ArraySlice<ObjectKey> {
        var first = place(of: prefix)
        if let key, !(key < prefix) {
            first = place(of: key)
            if first < order.count, order[first] == key { first += 1 }
        }
        var end = first
        while end < order.count, end - first < limit, order[end].hasPrefix(prefix),
            last.map({ !($0 < order[end]) }) ?? true
        {
            end += 1
        }
        return order[first..<end]
    }

    /// Where the key is, or would be.
    private func place(of key: ObjectKey) -> Int {
        if let last = order.last, last < key { return order.count }
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
