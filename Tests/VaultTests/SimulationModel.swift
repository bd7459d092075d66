import ObjectStores
import ReplicationModel
import Synchronization
import Vault

/// What each committed snapshot of a simulated vault holds, by what its writers meant to write: the truth that restores are compared with.
final class SimulationModel: Sendable {
    typealias Contents = [ObjectKey: [UInt64]]

    private struct State {
        /// By the snapshot's id.
        var contents: [UInt64: Contents] = [:]
        var newest: UInt64?
        /// What each process may have in its next commit; nil: the key deleted.
        var announced: [String: [ObjectKey: [[UInt64]?]]] = [:]
        var problems: [String] = []
    }

    let base: MemoryStore
    private let handle: VaultHandle
    private let state = Mutex(State())

    init(_ base: MemoryStore, time: any Timekeeper) async throws {
        self.base = base
        handle = try await VaultHandle.open(
            base, VaultStoreFixture.credential, local: { _ in MemoryVaultState() }, time: time)
    }

    var problems: [String] { state.withLock { $0.problems } }
    func report(_ problem: String) { state.withLock { $0.problems.append(problem) } }
    func contents(of snapshot: UInt64) -> Contents? { state.withLock { $0.contents[snapshot] } }

    /// The bytes of one chunk: begins with a word that must not be found in the vault.
    static func chunk(_ seed: UInt64) -> [UInt8] {
        Array("CANARY plaintext".utf8) + noise(CollectionFixture.chunk - 16, seed: seed)
    }

    static func bytes(_ chunks: [UInt64]) -> [UInt8] { chunks.flatMap { chunk($0) } }

    func announce(_ process: String, _ changes: [ObjectKey: [[UInt64]?]]) {
        state.withLock { $0.announced[process] = changes }
    }

    /// After each root that was stored, before anybody else goes on: a new snapshot differs from the one before only in what its writer
    /// has announced.
    func rootStored(by process: String) async {
        do {
            let root = try await handle.roots.newest().root
            guard let snapshot = root.snapshots.last, state.withLock({ $0.contents[snapshot.id] == nil }) else {
                return
            }
            let (before, announced) = state.withLock { state in
                (state.newest.map { state.contents[$0]! } ?? [:], state.announced[process] ?? [:])
            }
            var contents: Contents = [:]
            let found = try await restore(snapshot.id)
            for key in Set(before.keys).union(announced.keys).union(found.keys) {
                let choices = [before[key]] + (announced[key] ?? [])
                guard let choice = choices.first(where: { $0.map(Self.bytes) == found[key] }) else {
                    report("snapshot \(snapshot.id) of \(process) has \(key) with content that nobody wrote there")
                    continue
                }
                contents[key] = choice
            }
            state.withLock { state in
                state.contents[snapshot.id] = contents
                state.newest = snapshot.id
            }
        } catch {
            report("after a root of \(process): \(error)")
        }
    }

    /// What a commit has told of itself is what it did.
    func committed(_ outcome: CommitOutcome, _ changes: [ObjectKey: [UInt64]?], by process: String) {
        guard let id = outcome.snapshot.flatMap({ UInt64($0) }), let contents = contents(of: id) else {
            // What was written and deleted again comes to nothing.
            if changes.values.contains(where: { $0 != nil }) {
                report("\(process) has committed, and nobody has seen it")
            }
            return
        }
        for (key, chunks) in changes where outcome.rejected[key] == nil && contents[key] != chunks {
            report("snapshot \(id) of \(process) lacks its change of \(key)")
        }
    }

    /// Every snapshot of the newest root restores.
    func verify(_ moment: String) async {
        do {
            for snapshot in try await handle.roots.newest().root.snapshots {
                guard let expected = contents(of: snapshot.id) else {
                    report("\(moment): snapshot \(snapshot.id) came from nowhere")
                    continue
                }
                let found = try await restore(snapshot.id)
                if found != expected.mapValues(Self.bytes) {
                    report("\(moment): snapshot \(snapshot.id) is not what was written")
                }
            }
            let check = try await VaultCheck(handle).run(.init(memory: 0))
            for finding in check.findings { report("\(moment): \(finding)") }
        } catch {
            report("\(moment): \(error)")
        }
    }

    private func restore(_ snapshot: UInt64) async throws -> [ObjectKey: [UInt8]] {
        let store = try await VaultStore.reading(handle, snapshot: .id(snapshot), memory: 0)
        var contents: [ObjectKey: [UInt8]] = [:]
        for key in try await store.keys() { contents[key] = try await store.content(key) }
        return contents
    }

    /// In peace: nothing is left that no root refers to, and nothing readable is stored.
    func verifyPeace() async {
        await verify("in peace")
        do {
            let check = try await VaultCheck(handle).run(.init(data: .all, memory: 0))
            if !check.isSound || check.unreferenced.count > 0 {
                report("in peace: \(check.findings), \(check.unreferenced.count) objects are left over")
            }
            let words = ["CANARY", "secret-key"].map { Array($0.utf8) }
            for key in try await base.keys() {
                let bytes = try await StoredObject.read(key.text, from: base, limit: 1 << 30)
                for word in words where bytes.contains(subsequence: word) { report("\(key) holds plain text") }
            }
        } catch {
            report("in peace: \(error)")
        }
    }
}

extension [UInt8] {
    func contains(subsequence word: [UInt8]) -> Bool {
        guard count >= word.count else { return false }
        return withUnsafeBufferPointer { bytes in
            (0...(count - word.count)).contains { place in
                bytes[place] == word[0] && bytes[place..<place + word.count].elementsEqual(word)
            }
        }
    }
}
