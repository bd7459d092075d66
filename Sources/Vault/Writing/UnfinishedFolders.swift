import Digests
import ReplicationModel

/// The folders of a vault whose runs have not come to their end.
struct UnfinishedFolders {
    private var folders: Set<ObjectKey>

    /// Those of a partial snapshot; none of anything else.
    init(_ snapshot: Snapshot?) {
        folders = Set((snapshot?.unfinished ?? []).compactMap { Hex.decode($0) }.map { ObjectKey($0) })
    }

    var isEmpty: Bool { folders.isEmpty }

    /// Sorted, hex.
    var encoded: [String] { folders.sorted().map { Hex.encode($0.bytes) } }

    /// Whether a run over `folder` that comes to its end finishes one of them.
    func contains(_ folder: ObjectKey) -> Bool { folders.contains { $0.hasPrefix(folder) } }

    mutating func insert(_ folder: ObjectKey) { folders.insert(folder) }

    /// A run over a folder has come to its end, and with it what lies inside.
    mutating func remove(_ folder: ObjectKey) { folders = folders.filter { !$0.hasPrefix(folder) } }
}

extension SnapshotTree {
    private static let page = 1000

    /// What makes everything below a folder what it is in another tree.
    func edits(
        toward other: SnapshotTree, below folder: ObjectKey
    ) async throws(VaultError) -> [(ObjectKey, VaultEntry?)] {
        var edits: [ObjectKey: VaultEntry?] = [:]
        try await forEachEntry(below: folder) { edits[$0.key] = .some(nil) }
        var same: Set<ObjectKey> = []
        try await other.forEachEntry(below: folder) { entry in edits[entry.key] = entry }
        try await forEachEntry(below: folder) { entry in
            if let target = edits[entry.key], target?.token == entry.token { same.insert(entry.key) }
        }
        return edits.filter { !same.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func forEachEntry(below folder: ObjectKey, _ body: (VaultEntry) -> Void) async throws(VaultError) {
        var last: ObjectKey?
        while true {
            let entries = try await entries(prefix: folder, after: last, limit: Self.page)
            for entry in entries { body(entry) }
            guard entries.count == Self.page else { return }
            last = entries.last?.key
        }
    }
}
