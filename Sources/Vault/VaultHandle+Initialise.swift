package import ChunkPipeline
package import Cryptography
import Digests
package import ObjectStores
import ReplicationModel

/// What is chosen when a vault is made, and never changed.
package struct VaultOptions: Sendable {
    package var chunker: ChunkerProfile
    package var compression: CompressionPolicy
    /// Bytes.
    package var packSize: Int
    /// Of passphrases.
    package var scrypt: Scrypt.Parameters

    package init(
        chunker: ChunkerProfile = .standard, compression: CompressionPolicy = .auto,
        packSize: Int = VaultFormat.standardPackSize, scrypt: Scrypt.Parameters = .standard
    ) {
        self.chunker = chunker
        self.compression = compression
        self.packSize = packSize
        self.scrypt = scrypt
    }
}

extension VaultHandle {
    /// Makes a vault. Throws `.exists` where one is.
    ///
    /// Nothing is overwritten or deleted, so that two attempts at a time cannot harm each other: first key slots, under the next free number;
    /// then `format`, create-only, which decides whose vault it is, for key slots name the `format` that they belong to; then the first root.
    /// After an interruption it is called again: before `format` there is no vault, after it the first root is added.
    package static func initialise(
        _ store: any ObjectStore, _ credential: VaultCredential, label: String, options: VaultOptions = VaultOptions(),
        local: VaultLocalStateSource, time: any Timekeeper
    ) async throws(VaultError) -> VaultHandle {
        try credential.check()
        if let format = try await format(of: store) {
            return try await finish(store, format, credential, options, local: local, time: time)
        }
        try await refuseRemains(of: store)
        let format = try VaultFormat(
            repository: SecureRandom.bytes(KeyRing.repositoryLength), chunker: options.chunker,
            compression: options.compression, packSize: options.packSize,
            isSingleWriter: try await !ConditionalCreateProbe(store: store).isEnforced())
        let slots = KeySlots(store: store, format: format, time: time, scrypt: options.scrypt)
        try await slots.create(credential, label: label, keys: .generate(repository: format.repository))
        guard try await StoredObject.create(format.bytes, VaultName.format, in: store) else { throw exists(store) }
        // What was written is what opens it: a credential that does not shows now.
        let handle = try await open(store, credential, local: local, time: time)
        try await handle.writeFirstRoot()
        return handle
    }

    private func writeFirstRoot() async throws(VaultError) {
        let root = VaultRoot(
            sequence: 1, previous: "", time: time.nowSeconds(), nonce: Hex.encode(SecureRandom.bytes(16)), fence: 0,
            segments: [], snapshots: [], collection: CollectionState())
        _ = try await roots.append(root)
    }

    /// Adds the first root to a vault whose making was interrupted just before it.
    private static func finish(
        _ store: any ObjectStore, _ format: VaultFormat, _ credential: VaultCredential, _ options: VaultOptions,
        local: VaultLocalStateSource, time: any Timekeeper
    ) async throws(VaultError) -> VaultHandle {
        guard try await isEmpty(store) else { throw exists(store) }
        guard format.chunker == options.chunker, format.compression == options.compression,
            format.packSize == options.packSize
        else {
            throw VaultError(
                .exists, object: VaultName.format,
                "an interrupted `vault init` left a vault with other settings: delete this object and run again")
        }
        let handle: VaultHandle
        do throws(VaultError) {
            handle = try await open(store, credential, local: local, time: time)
        } catch {
            guard error.code == .wrongKey else { throw error }
            throw exists(store)
        }
        try await handle.writeFirstRoot()
        return handle
    }

    private static func exists(_ store: any ObjectStore) -> VaultError {
        VaultError(.exists, object: VaultName.format, "\(store.name) holds a vault already")
    }

    /// Roots and packs without a `format` are a vault that lost it: a new one would make them unreadable for ever.
    private static func refuseRemains(of store: any ObjectStore) async throws(VaultError) {
        guard try await !isEmpty(store) else { return }
        throw VaultError(
            .damaged, object: VaultName.format,
            "is not there, but the rest of a vault is: restore it from a copy, or delete what is left of the vault")
    }

    private static func isEmpty(_ store: any ObjectStore) async throws(VaultError) -> Bool {
        for prefix in [VaultName.rootPrefix, VaultName.packPrefix, VaultName.indexPrefix, VaultName.pagePrefix] {
            guard try await StoredObject.isEmpty(prefix, in: store) else { return false }
        }
        return true
    }
}

/// Finds out whether a store enforces conditional creates: creates a small object twice.
private struct ConditionalCreateProbe {
    let store: any ObjectStore

    /// Names that are tried: a lost reply spoils one, because nobody knows what its write did.
    static let maxAttempts = 5

    func isEnforced() async throws(VaultError) -> Bool {
        var attempt = 1
        while true {
            let name = "probe/\(Hex.encode(SecureRandom.bytes(16)))"
            let failure: StoreError
            do throws(StoreError) {
                let isEnforced = try await createTwice(name)
                await remove(name)
                return isEnforced
            } catch {
                failure = error
            }
            await remove(name)
            guard failure.retry == .unknownOutcome, attempt < Self.maxAttempts else { throw VaultError(failure) }
            attempt += 1
        }
    }

    private func createTwice(_ name: String) async throws(StoreError) -> Bool {
        try await StoredObject.put([], name, to: store)
        do throws(StoreError) {
            try await StoredObject.put([], name, to: store)
            return false
        } catch {
            guard error.code == .preconditionFailed else { throw error }
            return true
        }
    }

    /// A leftover of no bytes under a random name harms nobody.
    private func remove(_ name: String) async {
        _ = await store.delete([DeleteRequest(key: ObjectKey(name), version: nil)])
    }
}
