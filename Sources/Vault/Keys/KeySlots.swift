package import Cryptography
import Digests
package import ObjectStores
import ReplicationModel

/// The key slots of a vault: `key/<n>`, of which the highest sequence counts.
///
/// Every change creates `key/<n+1>` if it is absent and then deletes the older ones. In a bucket that keeps old versions those stay readable
/// to who may read them: delete the versions too.
package struct KeySlots: Sendable {
    package let store: any ObjectStore
    package let format: VaultFormat
    package let time: any Timekeeper
    private let scrypt: Scrypt.Parameters

    /// Objects below `key/` that are looked at, at most.
    static let maxObjects = 10_000
    /// Attempts against others that change the keys at the same time.
    static let maxAttempts = 8

    /// - Parameter scrypt: of new slots.
    package init(
        store: any ObjectStore, format: VaultFormat, time: any Timekeeper, scrypt: Scrypt.Parameters = .standard
    ) {
        self.store = store
        self.format = format
        self.time = time
        self.scrypt = scrypt
    }

    /// The keys of the vault. Throws `.wrongKey` when no slot opens.
    package func unlock(_ credential: VaultCredential) async throws(VaultError) -> KeyRing {
        try credential.check()
        let list = try await newest().list
        let name = VaultName.key(list.sequence)
        var failure: VaultError?
        for slot in list.slots {
            do throws(VaultError) {
                guard let keys = try await slot.open(credential, repository: format.repository, name: name) else {
                    continue
                }
                try list.verify(keys)
                return keys
            } catch {
                guard error.code != .cancelled else { throw error }
                failure = failure ?? error
            }
        }
        throw failure
            ?? VaultError(
                .wrongKey, object: name, "none of the \(list.slots.count) key slots opens with \(credential.phrase)")
    }

    /// All slots, proven by the keys.
    package func list(_ keys: KeyRing) async throws(VaultError) -> [KeySlot] {
        let list = try await newest().list
        try list.verify(keys)
        return list.slots
    }

    /// Adds a slot: its credential opens the vault from now on.
    @discardableResult
    package func add(
        _ credential: VaultCredential, label: String, keys: KeyRing
    ) async throws(VaultError) -> KeySlot {
        let slot = try await KeySlot(
            credential, label: label, created: time.nowSeconds(), keys: keys, scrypt: scrypt)
        try await change(keys, to: keys) { (slots, _) throws(VaultError) in
            if slots.contains(slot) { return slots }
            guard slots.count < KeySlotList.maxSlots else {
                throw VaultError(.invalid, "the vault has \(slots.count) key slots, and can have no more: remove one")
            }
            return slots + [slot]
        }
        return slot
    }

    /// Removes a slot. Who could open the vault with it may have kept the keys: `rotate` then, so that what is written from then on is
    /// sealed with others.
    package func remove(_ id: String, keys: KeyRing) async throws(VaultError) {
        try await change(keys, to: keys) { (slots, isFirst) throws(VaultError) in
            guard slots.contains(where: { $0.id == id }) else {
                if !isFirst { return slots }
                throw VaultError(.notFound, "there is no key slot \(id)")
            }
            guard slots.count > 1 else {
                throw VaultError(
                    .invalid, "\(id) is the only key slot: without it nobody could open the vault; add one first")
            }
            return slots.filter { $0.id != id }
        }
    }

    /// Makes a new root key, which seals what is written from now on; what is there stays readable. Every slot opens the new ring.
    package func rotate(_ keys: KeyRing) async throws(VaultError) -> KeyRing {
        guard keys.rootKeys.count < KeyRing.maxRootKeys else {
            throw VaultError(.invalid, "the vault has had \(KeyRing.maxRootKeys) root keys, and can have no more")
        }
        let rotated = keys.rotated()
        let name = VaultName.keyPrefix
        try await change(keys, to: rotated) { (slots, _) throws(VaultError) in
            var resealed: [KeySlot] = []
            for slot in slots { resealed.append(try slot.resealed(rotated, name: name)) }
            return resealed
        }
        return rotated
    }

    /// Writes the first list of a vault that has no `format` yet. Leftovers of attempts that ended early are not touched: they name another
    /// `format`, so nobody takes them for this vault's.
    func create(_ credential: VaultCredential, label: String, keys: KeyRing) async throws(VaultError) {
        let slot = try await KeySlot(
            credential, label: label, created: time.nowSeconds(), keys: keys, scrypt: scrypt)
        for _ in 0..<Self.maxAttempts {
            let last = try await sequences().last ?? 0
            let list = KeySlotList(sequence: last + 1, format: format.digest, slots: [slot], keys: keys)
            if try await write(list) { return }
        }
        throw Self.contended
    }

    /// - Parameter slots: the new slots for those that are there. Called again, with false, when somebody else was faster; the change may
    ///   then have happened already.
    private func change(
        _ keys: KeyRing, to newKeys: KeyRing,
        _ slots: ([KeySlot], _ isFirst: Bool) throws(VaultError) -> [KeySlot]
    ) async throws(VaultError) {
        for attempt in 0..<Self.maxAttempts {
            let (list, last) = try await newest()
            try list.verify(keys)
            if attempt > 0, list.rootKey == newKeys.newestID, list.rootKey != keys.newestID { return }
            guard list.rootKey == keys.newestID else {
                throw VaultError(
                    .conflict, object: VaultName.key(list.sequence), "the keys were rotated meanwhile: run again")
            }
            let changed = try slots(list.slots, attempt == 0)
            if changed == list.slots, newKeys.newestID == keys.newestID { return try await deleteOlder(than: list) }
            let next = KeySlotList(sequence: last + 1, format: format.digest, slots: changed, keys: newKeys)
            guard try await write(next) else { continue }
            // Somebody slower may have written where somebody faster has deleted already: then the highest is another's.
            guard try await sequences().last == next.sequence else { continue }
            return try await deleteOlder(than: next)
        }
        throw Self.contended
    }

    private static let contended = VaultError(.conflict, "others keep changing the key slots: run again")

    private func write(_ list: KeySlotList) async throws(VaultError) -> Bool {
        guard list.bytes.count <= KeySlotList.maxLength else {
            throw VaultError(.invalid, "the key slots take more than 1 MiB: remove some")
        }
        return try await StoredObject.create(list.bytes, VaultName.key(list.sequence), in: store)
    }

    private func deleteOlder(than list: KeySlotList) async throws(VaultError) {
        for sequence in try await sequences() where sequence < list.sequence {
            let name = VaultName.key(sequence)
            if case .failure(let error)? = await store.delete([.init(key: ObjectKey(name), version: nil)]).first {
                var failure = VaultError(error)
                failure.object = name
                failure.message =
                    "the keys are changed, but older slots could not be deleted, run again: \(error.message)"
                throw failure
            }
        }
    }

    /// The list that counts, and the highest sequence of all that are there.
    private func newest() async throws(VaultError) -> (list: KeySlotList, last: UInt64) {
        for _ in 0..<Self.maxAttempts {
            let sequences = try await sequences()
            guard let last = sequences.last else {
                throw VaultError(
                    .missing, object: VaultName.keyPrefix, "the vault has no key slots: restore the objects below key/")
            }
            do throws(VaultError) {
                for sequence in sequences.reversed() {
                    let bytes = try await StoredObject.read(
                        VaultName.key(sequence), from: store, limit: KeySlotList.maxLength)
                    let list = try KeySlotList(decoding: bytes, sequence: sequence)
                    if list.format == format.digest { return (list, last) }
                }
            } catch {
                // Deleted since it was listed: there is a newer one.
                guard error.code == .missing else { throw error }
                continue
            }
            throw VaultError(
                .damaged, object: VaultName.format,
                "was changed: none of the \(sequences.count) objects below key/ belongs to it")
        }
        throw Self.contended
    }

    /// Ascending.
    private func sequences() async throws(VaultError) -> [UInt64] {
        let names = try await StoredObject.names(VaultName.keyPrefix, in: store, limit: Self.maxObjects)
        return names.compactMap { VaultName.sequence(of: $0, prefix: VaultName.keyPrefix) }.sorted()
    }
}
