package import ReplicationModel

/// How one object differs between two snapshots.
package enum EntryDifference: Sendable, Hashable {
    case added(VaultEntry)
    case removed(VaultEntry)
    case changed(from: VaultEntry, to: VaultEntry)

    package var key: ObjectKey {
        switch self {
        case .added(let entry), .removed(let entry), .changed(_, let entry): entry.key
        }
    }
}

extension SnapshotTree {
    /// What has become different from this tree to `newer`, in key order. Reads no page that both have.
    ///
    /// Both trees use the same pages' store.
    package func differences(
        to newer: SnapshotTree, _ body: (EntryDifference) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        if root == newer.root { return }
        var old = try await TreeCursor(root, pages)
        var new = try await TreeCursor(newer.root, newer.pages)
        while true {
            switch (old.item(), new.item()) {
            case (nil, nil): return
            case (let left?, let right?) where left.firstKey == right.firstKey:
                try await compare(left, right, &old, &new, body)
            case (let left?, let right) where right.map({ left.firstKey < $0.firstKey }) ?? true:
                // Nothing on the other side begins at this key: so no page there is this page.
                if case .entry(let entry) = left {
                    old.skip()
                    try await body(.removed(entry))
                } else {
                    try await old.open()
                }
            case (_, let right?):
                if case .entry(let entry) = right {
                    new.skip()
                    try await body(.added(entry))
                } else {
                    try await new.open()
                }
            case (_?, nil): preconditionFailure("an item sorts before nothing")
            }
        }
    }

    /// Of items with the same first key, opens the page of the higher level: the other may be the first one in it.
    private func compare(
        _ left: TreeCursor.Item, _ right: TreeCursor.Item, _ old: inout TreeCursor, _ new: inout TreeCursor,
        _ body: (EntryDifference) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        switch (left, right) {
        case (.page(let a, let level), .page(let b, let otherLevel)):
            if a.reference == b.reference {
                old.skip()
                new.skip()
            } else {
                if level == otherLevel { pages.readAhead([a.reference, b.reference]) }
                if level >= otherLevel { try await old.open() }
                if otherLevel >= level { try await new.open() }
            }
        case (.page, .entry): try await old.open()
        case (.entry, .page): try await new.open()
        case (.entry(let a), .entry(let b)):
            old.skip()
            new.skip()
            if !a.isIdentical(to: b) { try await body(.changed(from: a, to: b)) }
        }
    }
}
