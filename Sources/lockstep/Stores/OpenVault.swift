import ObjectStores
import ReplicationModel
import Vault

/// The vault behind an open location.
struct OpenVault: Sendable {
    /// Of the vault itself, `vault+…`.
    let location: ObjectLocation
    /// The folder inside that the location names; empty for all objects.
    let inner: ObjectKey
    let handle: VaultHandle
    let store: VaultStore

    /// The repository's id: a vault and copies of it have the same.
    var id: [UInt8] { handle.format.repository }

    /// What a run commits by, in keys of the location.
    var commits: any StagedWrites { InnerCommits(store: store, prefix: inner) }
}

/// Commits of a vault, seen from a folder inside it.
private struct InnerCommits: StagedWrites {
    let store: VaultStore
    let prefix: ObjectKey

    var wantsCheckpoint: Bool { store.wantsCheckpoint }

    func commit(_ kind: CommitKind) async throws(StoreError) -> CommitOutcome {
        var outcome = try await store.commit(kind)
        outcome.rejected = Dictionary(
            uniqueKeysWithValues: outcome.rejected.map { key, reason in
                precondition(key.hasPrefix(prefix), "this process writes below \(prefix) only")
                return (ObjectKey(Array(key.bytes.dropFirst(prefix.bytes.count))), reason)
            })
        return outcome
    }
}
