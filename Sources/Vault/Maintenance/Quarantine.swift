/// Sets damaged and missing packs aside: on the list of condemned ones, their chunks no longer count as present.
///
/// Nothing is deleted. Whoever syncs the same bytes again stores them again, and with that repairs every snapshot that needs them; what is
/// not damaged in these packs can still be read. Garbage collection takes a pack off the list again when something needs it that is
/// nowhere else.
package struct Quarantine: Sendable {
    private let vault: VaultHandle

    /// Newer roots that are followed before somebody else gets the turn for good.
    private static let maxAttempts = 20

    package init(_ vault: VaultHandle) {
        self.vault = vault
    }

    /// - Parameter packs: names, as `pack/…`; those that the index does not name are passed over.
    /// - Returns: how many are set aside that were not before.
    package func setAside(_ packs: Set<String>) async throws(VaultError) -> Int {
        var (root, hash) = try await vault.roots.newest()
        for _ in 0..<Self.maxAttempts {
            let index = try await ChunkIndex.load(
                root.segments, store: vault.store, keys: vault.keys, local: vault.local, time: vault.time)
            let known = Set(index.packs.map(\.text))
            let fresh = packs.intersection(known).subtracting(root.collection.condemned)
            guard !fresh.isEmpty else { return 0 }
            var next = vault.successor(of: root, hash: hash)
            if next.collection.condemned.isEmpty { next.collection.epoch += 1 }
            next.collection.condemned = (root.collection.condemned + fresh).sorted()
            next.collection.condemnedAt = next.time
            switch try await vault.roots.append(next) {
            case .committed: return fresh.count
            case .lost(let newer, let newerHash): (root, hash) = (newer, newerHash)
            }
        }
        throw VaultError(
            .conflict, "others committed \(Self.maxAttempts) times while packs were to be set aside; run again")
    }
}
