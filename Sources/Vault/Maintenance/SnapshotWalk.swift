import ReplicationModel

/// Opens every page of all snapshots, those that several share once, and looks whether all objects can be read.
final class SnapshotWalk {
    private(set) var seen: Set<PageReference> = []
    private let check: StructureCheck
    private let index: ChunkIndex
    private let pages: PageStore
    private let lists: ChunkListReader

    init(_ check: StructureCheck, _ index: ChunkIndex) {
        self.check = check
        self.index = index
        pages = PageStore(store: check.vault.store, keys: check.vault.keys)
        lists = ChunkListReader(
            PackReader(store: check.vault.store, keys: check.vault.keys, memory: PackReader.smallestMemory))
    }

    func run(_ snapshots: [Snapshot]) async throws(VaultError) {
        for snapshot in snapshots {
            if let tree = snapshot.tree {
                try await visit(tree, expected: nil, level: nil) { (page) throws(VaultError) in
                    let child = page.child(tree)
                    guard (child.objects, child.bytes) != (snapshot.objects, snapshot.bytes) else { return }
                    check.find(
                        tree.name,
                        "has \(child.objects) objects of \(child.bytes) bytes, and snapshot \(snapshot.id) "
                            + "should have \(snapshot.objects) of \(snapshot.bytes)")
                }
            } else if snapshot.objects != 0 || snapshot.bytes != 0 {
                check.find(
                    VaultName.root(check.report.root),
                    "names \(snapshot.objects) objects in snapshot \(snapshot.id) and no page")
            }
        }
    }

    private func visit(
        _ reference: PageReference, expected: PageChild?, level: Int?,
        _ body: (SnapshotPage) throws(VaultError) -> Void
    ) async throws(VaultError) {
        let isNew = seen.insert(reference).inserted
        let page: SnapshotPage
        do throws(VaultError) {
            // A root page that was seen before is looked at again: each snapshot says by itself how much it has.
            page = try await pages.read(reference)
        } catch {
            check.affects(try check.find(reference.name, error), nil, in: reference)
            return
        }
        try body(page)
        guard isNew else { return }
        check.report.pages += 1
        check.progress(VaultCheckProgress(phase: .snapshots, done: check.report.pages, total: nil))
        if let level, page.level != level {
            let place = check.find(
                reference.name, "is a page of level \(page.level), and its parent puts it on \(level)")
            check.affects(place, nil, in: reference)
            return
        }
        if let expected, page.child(reference) != expected {
            check.affects(check.find(reference.name, "does not hold what its parent says"), nil, in: reference)
        }
        switch page {
        case .entries(let entries):
            for entry in entries { try await look(at: entry, in: reference) }
        case .children(let level, let children):
            for (number, child) in children.enumerated() where !seen.contains(child.reference) {
                pages.readAhead(
                    children[number...].prefix(PageStore.maxReadAhead).map(\.reference).filter { !seen.contains($0) })
                try await visit(child.reference, expected: child, level: level - 1) { (_) throws(VaultError) in }
            }
        }
    }

    // MARK: Objects

    private func look(at entry: VaultEntry, in page: PageReference) async throws(VaultError) {
        check.report.objects += 1
        switch entry.content {
        case .chunks(let references):
            var finding: Int?
            let size = look(at: references, &finding)
            conclude(entry, page, finding, size)
        case .list(let list):
            var finding: Int?
            _ = look(at: list, &finding)
            guard finding == nil else { return conclude(entry, page, finding, nil) }
            var size: Int64 = 0
            do throws(VaultError) {
                try await lists.read(list, in: index) { (references) throws(VaultError) in
                    size += look(at: references, &finding)
                }
            } catch {
                finding = try check.find(page.name, error)
            }
            conclude(entry, page, finding, size)
        }
    }

    private func conclude(_ entry: VaultEntry, _ page: PageReference, _ finding: Int?, _ size: Int64?) {
        if let finding {
            check.affects(finding, entry.key, in: page)
        } else if let size, size != entry.size {
            let place = check.find(page.name, "names an object whose chunks are not as long together as it is")
            check.affects(place, entry.key, in: page)
        }
    }

    /// Bytes of all chunks. `finding`: the first one that cannot be had.
    private func look(at references: [ChunkReference], _ finding: inout Int?) -> Int64 {
        var size: Int64 = 0
        for reference in references {
            check.report.chunks += 1
            size += Int64(reference.length)
            guard finding == nil else { continue }
            finding = problem(with: reference)
        }
        return size
    }

    private func problem(with reference: ChunkReference) -> Int? {
        let all = index.findAll(reference.id)
        let locations = all.filter { $0.plainLength == reference.length }
        guard !locations.isEmpty else {
            return check.find(
                VaultName.indexPrefix,
                all.isEmpty
                    ? "a chunk that an object consists of is in no pack that the index knows"
                    : "a chunk is not as long as an object says that consists of it")
        }
        var finding: Int?
        for location in locations {
            let pack = ObjectID(location.pack.id)
            guard let place = check.broken[pack] ?? check.damaged[reference.id]?[pack] else { return nil }
            finding = finding ?? place
        }
        return finding
    }

    // MARK: Snapshots

    /// Those of the pages that are in the snapshot.
    func holds(_ wanted: Set<PageReference>, _ snapshot: Snapshot) async throws(VaultError) -> Set<PageReference> {
        guard let tree = snapshot.tree else { return [] }
        var found = wanted.intersection([tree])
        var rest = [tree]
        var passed: Set<PageReference> = [tree]
        while let reference = rest.popLast() {
            let page: SnapshotPage
            do throws(VaultError) { page = try await pages.read(reference) } catch {
                // It is a finding already.
                guard StructureCheck.isFinding(error) else { throw error }
                continue
            }
            guard case .children(let level, let children) = page else { continue }
            for child in children {
                if wanted.contains(child.reference) { found.insert(child.reference) }
                if level > 1, passed.insert(child.reference).inserted { rest.append(child.reference) }
            }
        }
        return found
    }
}
