import ObjectStores
import ReplicationModel

/// The check of one root; of one task.
final class StructureCheck {
    let vault: VaultHandle
    let options: VaultCheck.Options
    let progress: @Sendable (VaultCheckProgress) -> Void
    var report = VaultCheckReport()
    /// Packs of which nothing can be had, each with its finding's place.
    var broken: [ObjectID: Int] = [:]
    /// Chunks that are damaged in some pack.
    var damaged: [ChunkID: [ObjectID: Int]] = [:]
    /// Findings are gathered with the pages that they affect, and are reported with their snapshots at the end.
    private var findings: [VaultCheckReport.Finding] = []
    private var places: [String: Int] = [:]
    private var affected: [Int: Set<PageReference>] = [:]

    /// Roots whose chain is followed, the newest first.
    private static let maxRoots = 1000

    init(
        _ vault: VaultHandle, _ options: VaultCheck.Options,
        _ progress: @escaping @Sendable (VaultCheckProgress) -> Void
    ) {
        self.vault = vault
        self.options = options
        self.progress = progress
    }

    func run(_ root: VaultRoot, _ hash: String) async throws(VaultError) -> VaultCheckReport {
        report.root = root.sequence
        report.snapshots = root.snapshots.count
        try await checkRoots(root)
        let index = try await checkSegments(root)
        try await checkPacks(index)
        try await verifyPacks(index)
        let walk = SnapshotWalk(self, index)
        try await walk.run(root.snapshots)
        try await countUnreferenced(root, walk.seen)
        try await nameSnapshots(root, walk)
        for finding in findings.prefix(VaultCheckReport.maxFindings) { report.add(finding) }
        report.findingCount += max(0, findings.count - VaultCheckReport.maxFindings)
        return report
    }

    // MARK: Findings

    /// Lets through what says nothing about the vault: the store does not answer, or nobody wants the result any more.
    static func isFinding(_ error: VaultError) -> Bool {
        switch error.code {
        case .damaged, .missing, .wrongKey, .newerFormat: true
        case .store: error.store?.code == .checksumMismatch || error.store?.code == .versionChanged
        default: false
        }
    }

    /// The place of a new finding, or of the one that says the same.
    @discardableResult
    func find(_ object: String, _ what: String) -> Int {
        let text = "\(object)\n\(what)"
        if let place = places[text] { return place }
        places[text] = findings.count
        findings.append(VaultCheckReport.Finding(object: object, what: what))
        return findings.count - 1
    }

    /// - Throws: the error when it is none about the vault.
    @discardableResult
    func find(_ object: String, _ error: VaultError) throws(VaultError) -> Int {
        guard Self.isFinding(error) else { throw error }
        return find(error.object ?? object, error.message)
    }

    func affects(_ finding: Int, _ key: ObjectKey?, in page: PageReference) {
        affected[finding, default: []].insert(page)
        guard let key else { return }
        findings[finding].keyCount += 1
        if findings[finding].keys.count < VaultCheckReport.maxKeys { findings[finding].keys.append(key) }
    }

    private func nameSnapshots(_ root: VaultRoot, _ walk: SnapshotWalk) async throws(VaultError) {
        let pages = affected.values.reduce(into: Set()) { $0.formUnion($1) }
        guard !pages.isEmpty else { return }
        for snapshot in root.snapshots {
            let held = try await walk.holds(pages, snapshot)
            for (finding, pages) in affected where !pages.isDisjoint(with: held) {
                findings[finding].snapshots.append(snapshot.id)
            }
        }
    }

    // MARK: Roots and index

    private func checkRoots(_ newest: VaultRoot) async throws(VaultError) {
        report.roots = 1
        var following: VaultRoot? = newest
        var sequence = newest.sequence
        while sequence > 1, report.roots < Self.maxRoots {
            sequence -= 1
            do throws(VaultError) {
                let (root, hash) = try await vault.roots.read(sequence)
                if let following, following.previous != hash {
                    find(
                        VaultName.root(sequence),
                        "is not the root that \(following.sequence) was committed on: one of them was replaced")
                }
                following = root
            } catch {
                try find(VaultName.root(sequence), error)
                following = nil
            }
            report.roots += 1
            progress(VaultCheckProgress(phase: .roots, done: report.roots, total: nil))
        }
    }

    /// The index of all segments that can be read.
    private func checkSegments(_ root: VaultRoot) async throws(VaultError) -> ChunkIndex {
        var sound: [SegmentReference] = []
        for segment in root.segments {
            do throws(VaultError) {
                // Each from the store: what this machine has cached says nothing of it.
                _ = try await ChunkIndex.load(
                    [segment], store: vault.store, keys: vault.keys, local: MemoryVaultState(), time: vault.time)
                sound.append(segment)
            } catch {
                try find(segment.name, error)
            }
            report.segments += 1
            progress(VaultCheckProgress(phase: .index, done: report.segments, total: root.segments.count))
        }
        return try await ChunkIndex.load(
            sound, store: vault.store, keys: vault.keys, local: vault.local, time: vault.time)
    }

    // MARK: Packs

    /// Whether every pack of the index is there, and long enough.
    private func checkPacks(_ index: ChunkIndex) async throws(VaultError) {
        var ends = [Int64](repeating: 0, count: index.packTable.count)
        index.forEachNumberedRow { (row) throws(Never) in
            ends[row.pack] = max(ends[row.pack], Int64(row.offset) + Int64(row.storedLength))
        }
        var least: [ObjectID: (pack: PackName, size: Int64)] = [:]
        for (pack, end) in zip(index.packTable, ends) {
            let size = end + Int64(RecordCipher.overhead) + Int64(ObjectTrailer.length)
            let id = ObjectID(pack.id)
            if let known = least[id], known.size >= size { continue }
            least[id] = (pack, size)
        }
        report.packs = least.count
        var listed: Set<ObjectID> = []
        try await vault.store.forEachObject(prefix: VaultName.packPrefix) { (object) throws(VaultError) in
            guard let parts = object.key.utf8.flatMap({ VaultName.parts(of: $0, prefix: VaultName.packPrefix) }) else {
                report.foreign += 1
                return true
            }
            let id = ObjectID(parts.id)
            guard let (pack, size) = least[id], pack.session == parts.session else {
                report.unreferenced += .init(count: 1, bytes: object.size)
                return true
            }
            listed.insert(id)
            if object.size < size {
                broken[id] = find(
                    pack.text, "is cut short: it has \(object.size) bytes, and what the index names needs \(size)")
            }
            return true
        }
        for (id, (pack, _)) in least where !listed.contains(id) {
            broken[id] = find(pack.text, "is missing: the index names chunks in it")
        }
    }

    private func countUnreferenced(_ root: VaultRoot, _ pages: Set<PageReference>) async throws(VaultError) {
        let needed = Set(pages.map(\.name)).union(root.segments.map(\.name))
        for prefix in [VaultName.indexPrefix, VaultName.pagePrefix] {
            try await vault.store.forEachObject(prefix: prefix) { (object) throws(VaultError) in
                guard let name = object.key.utf8, VaultName.parts(of: name, prefix: prefix) != nil else {
                    report.foreign += 1
                    return true
                }
                if !needed.contains(name) { report.unreferenced += .init(count: 1, bytes: object.size) }
                return true
            }
        }
    }
}
