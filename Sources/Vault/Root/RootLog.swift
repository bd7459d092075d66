import Digests
package import ObjectStores
import ReplicationModel

/// The root log: one object for each sequence, from 1 without a gap, never changed and never deleted.
package struct RootLog: Sendable {
    package let store: any ObjectStore
    package let keys: KeyRing
    package let local: any VaultLocalState

    /// Roots that are listed, at most.
    static let maxRoots = 10_000_000
    /// Roots between the newest and the remembered one whose chain is followed, at most.
    static let maxSteps: UInt64 = 1000
    /// Roots that are read at the same time.
    private static let window: UInt64 = 16
    /// Gaps that a listing may show because roots were written meanwhile.
    private static let maxDoubts = 16

    package init(store: any ObjectStore, keys: KeyRing, local: any VaultLocalState) {
        self.store = store
        self.keys = keys
        self.local = local
    }

    /// A root and the BLAKE3 of its object as stored, hex: what the next one's `previous` is.
    package typealias Entry = (root: VaultRoot, hash: String)

    package enum Appended: Sendable {
        /// The root counts.
        case committed(hash: String)
        /// Somebody else wrote this sequence first: the newest root now.
        case lost(root: VaultRoot, hash: String)
    }

    /// The newest root, which is remembered. Throws `.rolledBack` when it is older than the remembered one, or the log was forked.
    package func newest() async throws(VaultError) -> Entry {
        let remembered = try local.rememberedRoot()
        let sequence = try await newestSequence(remembered)
        let newest = try await read(sequence)
        if let remembered { try await check(newest, against: remembered) }
        try local.remember(RememberedRoot(sequence: sequence, hash: newest.hash))
        return newest
    }

    package func read(_ sequence: UInt64) async throws(VaultError) -> Entry {
        let name = VaultName.root(sequence)
        let object = try await StoredObject.read(name, from: store, limit: KeyRing.maxSealedLength)
        let plain = try object.withUnsafeBufferPointer { (object) throws(VaultError) in
            try keys.open(UnsafeRawBufferPointer(object), as: .root, name: name)
        }
        let root = try VaultJSON.decode(VaultRoot.self, plain, name: name)
        guard root.sequence == sequence else {
            throw VaultError(.damaged, object: name, "is root \(root.sequence) by its content")
        }
        return (root, Self.hash(object))
    }

    /// Commits: creates the object of the root's sequence if it is absent. Lost replies are settled by reading back; when it is cancelled or
    /// the store fails, the outcome is unknown, and the root may count.
    package func append(_ root: VaultRoot) async throws(VaultError) -> Appended {
        precondition(root.sequence > 0, "roots count from 1")
        let name = VaultName.root(root.sequence)
        let plain = VaultJSON.encode(root)
        guard plain.count <= KeyRing.maxPlainLength else {
            throw VaultError(
                .invalid, object: name,
                "the root takes \(plain.count) bytes, at most 256 MiB are allowed: prune snapshots")
        }
        let object = keys.seal(plain, as: .root, name: name)
        guard try await StoredObject.create(object, name, in: store) else {
            let newest = try await newest()
            return .lost(root: newest.root, hash: newest.hash)
        }
        let hash = Self.hash(object)
        do throws(VaultError) {
            try local.remember(RememberedRoot(sequence: root.sequence, hash: hash))
        } catch {
            var error = error
            error.message = "root \(root.sequence) is committed, but not remembered here: \(error.message)"
            throw error
        }
        return .committed(hash: hash)
    }

    /// The highest sequence, from the remembered one on; no gaps below it.
    private func newestSequence(_ remembered: RememberedRoot?) async throws(VaultError) -> UInt64 {
        let first = remembered?.sequence ?? 1
        let listed = try await sequences(from: first)
        guard let last = listed.last else {
            guard let remembered else {
                throw VaultError(
                    .missing, object: VaultName.root(1),
                    "the vault has no root: when its `vault init` was interrupted run that again, else restore the objects below root/"
                )
            }
            let found = try await sequences(from: 1).last.map { "root \($0)" } ?? "none"
            throw rolledBack(remembered, "the newest that is there is \(found)")
        }
        var expected = first
        var doubts = 0
        for sequence in listed {
            while expected < sequence {
                doubts += 1
                guard doubts <= Self.maxDoubts, try await exists(expected) else {
                    throw VaultError(
                        .missing, object: VaultName.root(expected),
                        "is not there, and newer roots are: restore it from a copy of the vault")
                }
                expected += 1
            }
            expected = sequence + 1
        }
        return last
    }

    private func exists(_ sequence: UInt64) async throws(VaultError) -> Bool {
        do throws(StoreError) {
            _ = try await store.head(ObjectKey(VaultName.root(sequence)))
            return true
        } catch {
            if error.code == .notFound { return false }
            throw VaultError(error)
        }
    }

    /// Ascending; none below `first`.
    private func sequences(from first: UInt64) async throws(VaultError) -> [UInt64] {
        let names = try await StoredObject.names(
            VaultName.rootPrefix, after: first > 0 ? VaultName.root(first - 1) : nil, in: store, limit: Self.maxRoots)
        return names.compactMap { VaultName.sequence(of: $0, prefix: VaultName.rootPrefix) }
            .filter { $0 >= first }.sorted()
    }

    /// Follows `previous` from the newest root back to the remembered one.
    private func check(_ newest: Entry, against remembered: RememberedRoot) async throws(VaultError) {
        var later = newest
        var steps: UInt64 = 0
        while later.root.sequence > remembered.sequence + 1, steps < Self.maxSteps {
            let highest = later.root.sequence - 1
            let count = min(Self.window, highest - remembered.sequence, Self.maxSteps - steps)
            for entry in try await read(highest - count + 1...highest).reversed() {
                try Self.check(later.root, follows: entry.root.sequence, hash: entry.hash)
                later = entry
            }
            steps += count
        }
        var found = later.hash
        if later.root.sequence > remembered.sequence {
            found = try await read(remembered.sequence).hash
            if later.root.sequence == remembered.sequence + 1 {
                try Self.check(later.root, follows: remembered.sequence, hash: found)
            }
        }
        guard found == remembered.hash else {
            throw rolledBack(remembered, "another root of that number is there: the log was forked")
        }
    }

    private static func check(_ root: VaultRoot, follows sequence: UInt64, hash: String) throws(VaultError) {
        guard root.previous == hash else {
            throw VaultError(
                .damaged, object: VaultName.root(sequence), "is not the root that \(root.sequence) was made from")
        }
    }

    /// In order.
    private func read(_ sequences: ClosedRange<UInt64>) async throws(VaultError) -> [Entry] {
        let results = await withTaskGroup(of: Result<Entry, VaultError>.self) { group in
            for sequence in sequences {
                group.addTask {
                    do throws(VaultError) {
                        return .success(try await read(sequence))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            var results: [Result<Entry, VaultError>] = []
            for await result in group { results.append(result) }
            return results
        }
        var entries: [Entry] = []
        for result in results { entries.append(try result.get()) }
        entries.sort { $0.root.sequence < $1.root.sequence }
        return entries
    }

    private func rolledBack(_ remembered: RememberedRoot, _ found: String) -> VaultError {
        VaultError(
            .rolledBack, object: VaultName.root(remembered.sequence),
            "this machine has seen root \(remembered.sequence) of the vault, and now \(found). Somebody put an older state back, or the "
                + "store hides the newer one. If you restored the vault on purpose, \(local.forgetting)")
    }

    private static func hash(_ object: [UInt8]) -> String {
        object.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) }
    }
}
