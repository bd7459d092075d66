/// Takes snapshots out of a vault. What only they needed becomes garbage, which `GarbageCollector` removes.
package struct Pruning: Sendable {
    private let vault: VaultHandle

    /// Newer roots that are followed before somebody else gets the turn for good.
    private static let maxAttempts = 20

    package init(_ vault: VaultHandle) {
        self.vault = vault
    }

    package struct Outcome: Sendable {
        package var kept: [RetentionPolicy.Kept]
        package var removed: [Snapshot]
    }

    /// Removes what the policy does not keep, of the snapshots that there are when it is committed.
    /// - Parameter dryRun: only says what would happen.
    package func prune(_ policy: RetentionPolicy, dryRun: Bool) async throws(VaultError) -> Outcome {
        guard !policy.isEmpty else {
            throw VaultError(
                .invalid, "no rule says which snapshots to keep; give at least one, for example --keep-last 3")
        }
        return try await remove(dryRun: dryRun) { root throws(VaultError) in
            let (kept, removed) = policy.apply(to: root.snapshots)
            return Outcome(kept: kept, removed: removed)
        }
    }

    /// Removes these snapshots. The newest of all and the newest complete one stay: to be without them, delete the vault.
    package func forget(_ ids: Set<UInt64>, dryRun: Bool = false) async throws(VaultError) -> Outcome {
        try await remove(dryRun: dryRun) { root throws(VaultError) in
            if let unknown = ids.subtracting(root.snapshots.map(\.id)).min() {
                throw VaultError(
                    .notFound, "there is no snapshot \(unknown); lockstep vault snapshots lists those that there are")
            }
            let needed = [root.snapshots.last, root.snapshots.last { !$0.isPartial }].compactMap { $0?.id }
            if let newest = needed.first(where: ids.contains) {
                throw VaultError(
                    .invalid,
                    "snapshot \(newest) is the newest state of the vault, and stays until a newer one is there")
            }
            return Outcome(
                kept: root.snapshots.filter { !ids.contains($0.id) }
                    .map { RetentionPolicy.Kept(snapshot: $0, reasons: []) },
                removed: root.snapshots.filter { ids.contains($0.id) })
        }
    }

    private func remove(
        dryRun: Bool, choosing choose: (VaultRoot) throws(VaultError) -> Outcome
    ) async throws(VaultError) -> Outcome {
        var (root, hash) = try await vault.roots.newest()
        for _ in 0..<Self.maxAttempts {
            let outcome = try choose(root)
            if dryRun || outcome.removed.isEmpty { return outcome }
            var next = vault.successor(of: root, hash: hash)
            next.snapshots = outcome.kept.map(\.snapshot)
            switch try await vault.roots.append(next) {
            case .committed: return outcome
            case .lost(let newer, let newerHash): (root, hash) = (newer, newerHash)
            }
        }
        throw VaultError(
            .conflict, "others committed \(Self.maxAttempts) times while snapshots were to be removed; run again")
    }
}
