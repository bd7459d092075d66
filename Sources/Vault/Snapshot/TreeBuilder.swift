import ReplicationModel

/// Makes a tree from the left to the right, of entries and of whole pages of older trees.
///
/// One page is open on each level. A page that is complete is sealed, sent in the background, and added to the page above.
struct TreeBuilder {
    /// Pages that are being sent, at most.
    static let maxUploads = 16

    private struct Level {
        /// The open page.
        var page: PageEncoder
        /// Whether there are others before it.
        var hasOthers: Bool
        /// What was added to the open page, above level 0, and whether the last of it is a page of the older tree.
        var children: [PageChild] = []
        var isLastOld = false
        /// The page of the older tree that began where the open page does, and what is in it.
        var old: (page: PageChild, children: [PageChild])?

        init(_ level: Int, hasOthers: Bool = false) {
            page = PageEncoder(level: level)
            self.hasOthers = hasOthers
        }
    }

    private let pages: PageStore
    private let session: SessionName
    private var levels: [Level] = []
    private var uploading = 0
    private var pagesWritten = 0
    private var bytesWritten: Int64 = 0

    init(pages: PageStore, session: SessionName) {
        self.pages = pages
        self.session = session
    }

    /// Whether a page that exists can be taken over as it is: no page up to its level is begun.
    ///
    /// It then ends where the builder would end it: borders depend on nothing but what is in a page. Only the last page of a level may
    /// have no border, and behind that nothing comes: who adds something there changes that page.
    func isAtBorder(through level: Int) -> Bool {
        levels.prefix(level + 1).allSatisfy { $0.page.isEmpty }
    }

    mutating func add(
        _ entry: VaultEntry, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        reach(0)
        levels[0].page.append(entry)
        if levels[0].page.isComplete { try await end(0, &uploads) }
    }

    /// Adds a page of `level` as it is.
    /// - Precondition: `isAtBorder(through: level)`.
    mutating func add(
        _ child: PageChild, level: Int, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        precondition(isAtBorder(through: level), "a page in the middle of another")
        reach(level)
        for below in 0...level { levels[below].hasOthers = true }
        try await add(child, isOld: true, to: level + 1, &uploads)
    }

    /// Tells of a page of the older tree that is gone through child by child: when all come out as they were, it is taken over after all.
    mutating func offer(_ page: PageChild, level: Int, children: [PageChild]) {
        reach(level)
        if levels[level].page.isEmpty { levels[level].old = (page, children) }
    }

    /// Ends all open pages.
    mutating func finish(
        _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) -> ChangedTree {
        var level = 0
        while level < levels.count {
            let top = levels[level]
            if level > 0, top.page.count == 1, !top.hasOthers { return try await result(top, level: level - 1) }
            if !top.page.isEmpty { try await end(level, &uploads) }
            level += 1
        }
        return ChangedTree(root: nil, objects: 0, bytes: 0, pagesWritten: pagesWritten, bytesWritten: bytesWritten)
    }

    /// The tree whose root, of `level`, is the only page there is on its level.
    private func result(_ top: Level, level: Int) async throws(VaultError) -> ChangedTree {
        var (root, isOld) = (top.children[0].reference, top.isLastOld)
        var level = level
        // An old page that was the last of its level may have one child, and is alone now: then the child is the root.
        while isOld, case .children(_, let children) = try await pages.read(root, level: level), children.count == 1 {
            root = children[0].reference
            level -= 1
            isOld = level > 0
        }
        return ChangedTree(
            root: root, objects: top.page.objects, bytes: top.page.bytes, pagesWritten: pagesWritten,
            bytesWritten: bytesWritten)
    }

    /// Seals the open page of a level, sends it, and adds it to the page above.
    private mutating func end(
        _ level: Int, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        let (page, children, old) = (levels[level].page, levels[level].children, levels[level].old)
        levels[level] = Level(level, hasOthers: true)
        if let old, old.children == children { return try await add(old.page, isOld: true, to: level + 1, &uploads) }
        let sealed = pages.seal(try page.payload(), session: session)
        try await send(sealed, &uploads)
        let child = PageChild(
            firstKey: page.firstKey!, reference: sealed.reference, objects: page.objects, bytes: page.bytes)
        try await add(child, isOld: false, to: level + 1, &uploads)
    }

    private mutating func add(
        _ child: PageChild, isOld: Bool, to level: Int, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        reach(level)
        levels[level].page.append(child)
        levels[level].children.append(child)
        levels[level].isLastOld = isOld
        if levels[level].page.isComplete { try await end(level, &uploads) }
    }

    private mutating func send(
        _ page: SealedPage, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        if uploading == Self.maxUploads {
            do { try await uploads.next() } catch { throw VaultError(caught: error) }
            uploading -= 1
        }
        uploads.addTask { [pages] in try await pages.write(page) }
        uploading += 1
        pagesWritten += 1
        bytesWritten += Int64(page.object.count)
    }

    private mutating func reach(_ level: Int) {
        while levels.count <= level { levels.append(Level(levels.count)) }
    }
}
