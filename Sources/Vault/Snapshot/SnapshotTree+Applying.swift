package import ReplicationModel

/// A tree after changes.
package struct ChangedTree: Sendable {
    /// nil: no objects.
    package var root: PageReference?
    package var objects: Int
    /// Plain bytes of all objects.
    package var bytes: Int64
    /// Pages that were written for it, and the bytes of their sealed objects.
    package var pagesWritten: Int
    package var bytesWritten: Int64
}

extension SnapshotTree {
    /// The tree with changes made: entries replace those of the same key, nil takes one out. Keys rise strictly.
    ///
    /// Reads and writes only pages that changes touch; what comes out is the tree that the same entries give from nothing. All new pages
    /// are durable when it returns. Nothing refers to them until a root does; what a failure leaves is removed with the session.
    @concurrent
    package func applying(
        _ changes: [(ObjectKey, VaultEntry?)], session: SessionName
    ) async throws(VaultError) -> ChangedTree {
        for index in changes.indices {
            precondition(index == 0 || changes[index - 1].0 < changes[index].0, "changes must be sorted by key")
            precondition(changes[index].1.map { $0.key == changes[index].0 } ?? true, "an entry under another key")
        }
        do {
            return try await withThrowingTaskGroup(of: Void.self) { group in
                var edit = TreeEdit(
                    pages: pages, builder: TreeBuilder(pages: pages, session: session), changes: changes)
                let result = try await edit.run(root, &group)
                try await group.waitForAll()
                return result
            }
        } catch {
            throw VaultError(caught: error)
        }
    }
}

/// Walks the old tree together with the changes, and gives a builder either whole pages or their entries.
private struct TreeEdit {
    let pages: PageStore
    var builder: TreeBuilder
    let changes: [(ObjectKey, VaultEntry?)]

    mutating func run(
        _ root: PageReference?, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) -> ChangedTree {
        if let root {
            let page = try await pages.read(root)
            try await edit(page.child(root), level: page.level, changes.indices, &uploads)
        } else {
            for (_, entry) in changes {
                if let entry { try await builder.add(entry, &uploads) }
            }
        }
        return try await builder.finish(&uploads)
    }

    /// Handles one page of the old tree with the changes that fall between its first key and that of the page behind it.
    private mutating func edit(
        _ child: PageChild, level: Int, _ touching: Range<Int>, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        if touching.isEmpty, builder.isAtBorder(through: level) {
            return try await builder.add(child, level: level, &uploads)
        }
        switch try await pages.read(child.reference, level: level) {
        case .entries(let entries):
            if builder.isAtBorder(through: 0), !changesAnything(touching, in: entries) {
                try await builder.add(child, level: 0, &uploads)
            } else {
                try await merge(entries, touching, &uploads)
            }
        case .children(_, let children):
            builder.offer(child, level: level, children: children)
            // Changes before the first key belong to the first page.
            var borders = [touching.lowerBound]
            for next in children.dropFirst() {
                borders.append(firstChange(from: next.firstKey, in: borders[borders.count - 1]..<touching.upperBound))
            }
            borders.append(touching.upperBound)
            var ahead = 0
            for (index, child) in children.enumerated() {
                // Pages with changes surely are read: a few of them at a time.
                ahead = max(ahead, index)
                while ahead < min(children.count, index + PageStore.maxReadAhead) {
                    if borders[ahead] < borders[ahead + 1] { pages.readAhead([children[ahead].reference]) }
                    ahead += 1
                }
                try await edit(child, level: level - 1, borders[index]..<borders[index + 1], &uploads)
            }
        }
    }

    private func firstChange(from key: ObjectKey, in range: Range<Int>) -> Int {
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = low + (high - low) / 2
            if changes[middle].0 < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func changesAnything(_ touching: Range<Int>, in entries: [VaultEntry]) -> Bool {
        touching.contains { index in
            let (key, new) = changes[index]
            let place = entries.partitioningIndex { !($0.key < key) }
            let old = place < entries.count && entries[place].key == key ? entries[place] : nil
            guard let old, let new else { return old != nil || new != nil }
            return !new.isIdentical(to: old)
        }
    }

    private mutating func merge(
        _ entries: [VaultEntry], _ touching: Range<Int>, _ uploads: inout ThrowingTaskGroup<Void, any Error>
    ) async throws(VaultError) {
        var next = touching.lowerBound
        for entry in entries {
            while next < touching.upperBound, changes[next].0 < entry.key {
                if let new = changes[next].1 { try await builder.add(new, &uploads) }
                next += 1
            }
            if next < touching.upperBound, changes[next].0 == entry.key {
                if let new = changes[next].1 { try await builder.add(new, &uploads) }
                next += 1
            } else {
                try await builder.add(entry, &uploads)
            }
        }
        for index in next..<touching.upperBound {
            if let new = changes[index].1 { try await builder.add(new, &uploads) }
        }
    }
}
