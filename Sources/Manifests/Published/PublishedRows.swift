package import ReplicationModel

/// The rows of a manifest in key order, a page at a time; every page's digest, order and keys are checked as it is read.
package struct PublishedRows {
    private let folder: ManifestFolder
    private let pages: [PublishedPage]
    private let after: ObjectKey?
    private var next: Int

    /// - Parameter after: only rows behind this key (exclusive).
    package init(_ head: PublishedHead, in folder: ManifestFolder, after: ObjectKey? = nil) {
        self.folder = folder
        self.after = after
        pages = head.pages
        next = after.map { after in head.pages.partitioningIndex { after < $0.lastKey } } ?? 0
    }

    /// The page that `nextPage` will read; nil at the end.
    package var upcoming: PublishedPage? { next < pages.count ? pages[next] : nil }

    /// The rows of the next page, never an empty array; nil at the end. Throws `ManifestError` for a damaged or missing page.
    package mutating func nextPage() async throws -> [LedgerRow]? {
        guard let page = upcoming else { return nil }
        var rows = try PageContent.rows(try await folder.content(of: page), page)
        if let after, !(after < page.firstKey) { rows.removeFirst(rows.partitioningIndex { after < $0.key }) }
        next += 1
        return rows
    }

    /// Passes over the next page without reading it.
    package mutating func skipPage() {
        next += 1
    }
}

extension PublishedHead {
    /// The page that holds the key if the manifest does.
    package func page(of key: ObjectKey) -> PublishedPage? {
        let index = pages.partitioningIndex { !($0.lastKey < key) }
        return index < pages.count && !(key < pages[index].firstKey) ? pages[index] : nil
    }
}

extension ManifestFolder {
    /// One key's row, nil when the manifest has none.
    package func row(for key: ObjectKey, of head: PublishedHead) async throws -> LedgerRow? {
        guard let page = head.page(of: key) else { return nil }
        let rows = try PageContent.rows(try await content(of: page), page)
        let index = rows.partitioningIndex { !($0.key < key) }
        return index < rows.count && rows[index].key == key ? rows[index] : nil
    }

    /// All lines of one page as they were published.
    package func lines(of page: PublishedPage) async throws -> String {
        String(decoding: try await content(of: page), as: UTF8.self)
    }
}

extension Array {
    /// Index of the first element for which the predicate holds, given that it then holds for all that follow.
    fileprivate func partitioningIndex(_ belongsToSecond: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsToSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
