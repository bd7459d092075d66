package import ReplicationModel

/// All objects of one snapshot: a tree of pages over sorted entries, whose shape follows from the entries alone (a prolly tree).
///
/// Pages never change and their references are random, so equal references mean equal subtrees. Nothing is remembered here: a tree is its
/// root's reference, and `PageStore` keeps the pages.
package struct SnapshotTree: Sendable {
    /// nil: no objects.
    package let root: PageReference?
    let pages: PageStore

    package init(root: PageReference?, pages: PageStore) {
        self.root = root
        self.pages = pages
    }

    /// Entries of a page read ahead of a listing, at most.
    private static let listingAhead = 4096
    /// Objects read ahead of a walk through everything.
    private static let walkAhead = 8192

    package func entry(for key: ObjectKey) async throws(VaultError) -> VaultEntry? {
        var cursor = try await TreeCursor(root, pages)
        try await cursor.seek(key)
        guard case .entry(let entry) = cursor.item(), entry.key == key else { return nil }
        return entry
    }

    /// Up to `limit` objects whose keys start with `prefix` and are greater than `after`, in order. Fewer: there are no more.
    ///
    /// Long listings go on where they ended with `after`; for them the pages behind the last object are being read meanwhile.
    package func entries(
        prefix: ObjectKey, after: ObjectKey?, limit: Int
    ) async throws(VaultError) -> [VaultEntry] {
        guard limit > 0 else { return [] }
        var cursor = try await TreeCursor(root, pages)
        cursor.readAhead = limit < PageEncoder.leastCount ? limit : limit + Self.listingAhead
        try await cursor.seek(after.map { max($0, prefix) } ?? prefix)
        var entries: [VaultEntry] = []
        while entries.count < limit, let entry = try await cursor.next() {
            if entry.key == after { continue }
            guard entry.key.hasPrefix(prefix) else { break }
            entries.append(entry)
        }
        return entries
    }

    /// All objects in order.
    package func forEachEntry(_ body: (VaultEntry) async throws(VaultError) -> Void) async throws(VaultError) {
        var cursor = try await TreeCursor(root, pages)
        cursor.readAhead = Self.walkAhead
        while let entry = try await cursor.next() { try await body(entry) }
    }

    /// Adds the references of all pages of the tree to `seen`; what is below a page that is there already is passed over.
    ///
    /// Reads no page of entries, but for a root that is one.
    package func pages(into seen: inout Set<PageReference>) async throws(VaultError) {
        try await visit(&seen, readsEntries: false) { _ throws(VaultError) in }
    }

    /// As `pages`, and hands over the objects of all pages that were not in `seen`, in order: for what several snapshots hold together.
    package func forEachEntry(
        notIn seen: inout Set<PageReference>, _ body: (VaultEntry) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        try await visit(&seen, readsEntries: true, body)
    }

    private func visit(
        _ seen: inout Set<PageReference>, readsEntries: Bool, _ body: (VaultEntry) async throws(VaultError) -> Void
    ) async throws(VaultError) {
        guard let root, !seen.contains(root) else { return }
        var cursor = try await TreeCursor(root, pages)
        cursor.readAhead = readsEntries ? Self.walkAhead : 0
        while let item = cursor.item() {
            switch item {
            case .page(let child, let level):
                if seen.insert(child.reference).inserted, level > 0 || readsEntries {
                    try await cursor.open()
                } else {
                    cursor.skip()
                }
            case .entry(let entry):
                cursor.skip()
                try await body(entry)
            }
        }
    }
}
