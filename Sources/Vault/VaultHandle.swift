import ChunkPipeline
import Cryptography
import Digests
package import ObjectStores
import ReplicationModel

/// An opened vault: its format, keys and logs.
package struct VaultHandle: Sendable {
    /// Rooted at the vault.
    package let store: any ObjectStore
    package let format: VaultFormat
    package let keys: KeyRing
    package let slots: KeySlots
    package let roots: RootLog
    package let local: any VaultLocalState
    package let time: any Timekeeper

    /// Opens the vault; reads no roots yet. Throws `.notAVault` and `.wrongKey`.
    package static func open(
        _ store: any ObjectStore, _ credential: VaultCredential, local: VaultLocalStateSource, time: any Timekeeper
    ) async throws(VaultError) -> VaultHandle {
        guard let format = try await format(of: store) else {
            throw VaultError(.notAVault, "\(store.name) holds no vault: make one with `lockstep vault init`")
        }
        return try await open(store, format, credential, local: local, time: time)
    }

    private static func open(
        _ store: any ObjectStore, _ format: VaultFormat, _ credential: VaultCredential, local: VaultLocalStateSource,
        time: any Timekeeper
    ) async throws(VaultError) -> VaultHandle {
        let slots = KeySlots(store: store, format: format, time: time)
        let keys = try await slots.unlock(credential)
        let local = try local(format.repository)
        return VaultHandle(
            store: store, format: format, keys: keys, slots: slots,
            roots: RootLog(store: store, keys: keys, local: local), local: local, time: time)
    }

    /// nil when there is none.
    package static func format(of store: any ObjectStore) async throws(VaultError) -> VaultFormat? {
        do throws(VaultError) {
            return try VaultFormat(
                decoding: await StoredObject.read(VaultName.format, from: store, limit: VaultFormat.maxLength))
        } catch {
            if error.code == .missing { return nil }
            throw error
        }
    }
}
