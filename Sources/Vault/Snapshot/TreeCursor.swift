import ReplicationModel

/// A place in a snapshot's tree: before an object, or before a page that is not opened yet. Moves forward only.
struct TreeCursor {
    enum Item {
        case page(PageChild, level: Int)
        case entry(VaultEntry)

        var firstKey: ObjectKey {
            switch self {
            case .page(let child, _): child.firstKey
            case .entry(let entry): entry.key
            }
        }
    }

    private struct Frame {
        let page: SnapshotPage
        var index: Int
    }

    private let pages: PageStore
    /// From the root down; of each page but the last one, the items behind the page that is open.
    private var frames: [Frame] = []
    /// Objects behind the cursor that will be wanted: their pages are read ahead.
    var readAhead = 0

    /// Before everything. The root page is read, to know what is below it, and counts as not opened.
    init(_ root: PageReference?, _ pages: PageStore) async throws(VaultError) {
        self.pages = pages
        guard let root else { return }
        let page = try await pages.read(root)
        guard page.level < SnapshotPage.maxLevel else {
            throw VaultError(.damaged, object: root.name, "is a page of more levels than a snapshot has")
        }
        frames.append(Frame(page: .children(level: page.level + 1, [page.child(root)]), index: 0))
    }

    /// nil at the end.
    mutating func item() -> Item? {
        while let top = frames.last {
            switch top.page {
            case .entries(let entries) where top.index < entries.count: return .entry(entries[top.index])
            case .children(let level, let children) where top.index < children.count:
                return .page(children[top.index], level: level - 1)
            default: frames.removeLast()
            }
        }
        return nil
    }

    /// Passes over the item that `item` told last, with all that is below it.
    mutating func skip() {
        frames[frames.count - 1].index += 1
    }

    /// Opens the page that `item` told last.
    mutating func open() async throws(VaultError) {
        guard let frame = frames.last, case .children(let level, let children) = frame.page else {
            preconditionFailure("no page to open")
        }
        let child = children[frame.index]
        var wanted = readAhead - child.objects
        for next in children[(frame.index + 1)...].prefix(PageStore.maxReadAhead) {
            guard wanted > 0 else { break }
            if next == children[frame.index + 1] { pages.readAhead([child.reference]) }
            pages.readAhead([next.reference])
            wanted -= next.objects
        }
        let page = try await pages.read(child.reference, level: level - 1)
        frames[frames.count - 1].index += 1
        frames.append(Frame(page: page, index: 0))
    }

    /// The next object, passed over; nil at the end.
    mutating func next() async throws(VaultError) -> VaultEntry? {
        while let item = item() {
            switch item {
            case .page: try await open()
            case .entry(let entry):
                skip()
                return entry
            }
        }
        return nil
    }

    /// Moves to the first object whose key is `key` or greater. From the beginning only.
    mutating func seek(_ key: ObjectKey) async throws(VaultError) {
        while let top = frames.last {
            switch top.page {
            case .entries(let entries):
                frames[frames.count - 1].index = entries.partitioningIndex { !($0.key < key) }
                return
            case .children(_, let children):
                // In the last page that begins at the key or before it.
                let index = max(0, children.partitioningIndex { key < $0.firstKey } - 1)
                frames[frames.count - 1].index = index
                try await open()
            }
        }
    }
}

extension PageStore {
    /// Reads a page that its parent puts on `level`.
    func read(_ reference: PageReference, level: Int) async throws(VaultError) -> SnapshotPage {
        let page = try await read(reference)
        guard page.level == level else {
            throw VaultError(
                .damaged, object: reference.name, "is a page of level \(page.level), and its parent puts it on \(level)"
            )
        }
        return page
    }
}

extension Array {
    /// The first index whose element fulfils the condition, which all behind it do too; `endIndex` when none does.
    func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
