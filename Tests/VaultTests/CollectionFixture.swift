import ChunkPipeline
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

/// A clock that is set.
final class SetTime: Timekeeper {
    private let seconds = Mutex<Int64>(1_800_000_000)

    func now() -> Int64 { seconds.withLock { $0 } * 1_000_000_000 }
    func monotonic() -> Int64 { now() }
    func sleep(for duration: Duration) async throws { await Task.yield() }
    func advance(_ more: Int64) { seconds.withLock { $0 += more } }
}

/// A vault whose chunks have 4 KiB, and short ways to write, collect and look.
struct CollectionFixture {
    let base: MemoryStore
    let time = SetTime()
    let local = MemoryVaultState()

    static let chunk = 4096

    init() async throws {
        base = MemoryStore(time: time)
        var fixture = VaultStoreFixture(base, chunker: .fixed(size: Self.chunk))
        fixture.options.compression = .none
        try await fixture.initialise()
    }

    /// - Parameter store: what is between the process and the vault.
    func open(
        through store: (any ObjectStore)? = nil, _ local: (any VaultLocalState)? = nil
    ) async throws -> VaultHandle {
        let local = local ?? self.local
        return try await VaultHandle.open(
            store ?? base, VaultStoreFixture.credential, local: { _ in local }, time: time)
    }

    func writer(through store: (any ObjectStore)? = nil, _ local: (any VaultLocalState)? = nil) async throws
        -> VaultStore
    {
        try await VaultStore.writing(open(through: store, local), source: "", host: "", memory: 0)
    }

    /// One run of a sync: its objects are those given, nil for the ones to delete.
    @discardableResult
    func sync(_ objects: [(key: ObjectKey, chunks: [UInt64]?)]) async throws -> CommitOutcome {
        let writer = try await writer()
        for (key, chunks) in objects {
            if let chunks {
                try await writer.write(key, Self.bytes(chunks))
            } else {
                try await writer.delete([DeleteRequest(key: key, version: nil)])[0].get()
            }
        }
        return try await writer.commit(.complete(failures: 0))
    }

    /// An object of these chunks.
    static func bytes(_ chunks: [UInt64]) -> [UInt8] {
        chunks.flatMap { noise(chunk, seed: $0) }
    }

    func collect(
        grace: Int64 = 0, repackBelow: Double = 0.5, sessionAge: Int64 = 0, dryRun: Bool = false,
        through store: (any ObjectStore)? = nil, _ local: (any VaultLocalState)? = nil
    ) async throws -> CollectionReport {
        try await GarbageCollector(
            open(through: store, local),
            options: .init(grace: grace, repackBelow: repackBelow, sessionAge: sessionAge, isDryRun: dryRun)
        ).run()
    }

    func forget(_ ids: Set<UInt64>) async throws {
        _ = try await Pruning(open()).forget(ids)
    }

    var root: VaultRoot {
        get async throws { try await open().roots.newest().root }
    }

    func contents(_ snapshot: SnapshotChoice = .latest) async throws -> [ObjectKey: [UInt8]] {
        let store = try await VaultStore.reading(
            open(MemoryVaultState()), snapshot: snapshot, memory: PackReader.smallestMemory)
        var contents: [ObjectKey: [UInt8]] = [:]
        for key in try await store.keys() { contents[key] = try await store.content(key) }
        return contents
    }

    private func open(_ local: MemoryVaultState) async throws -> VaultHandle { try await open(through: nil, local) }

    func names(_ prefix: String) async throws -> [String] {
        try await base.keys(prefix: ObjectKey(prefix)).map(\.text)
    }

    /// Fails unless the vault is whole.
    func expectSound(
        _ data: VaultCheck.DataShare = .all, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let report = try await VaultCheck(open()).run(.init(data: data, memory: 0))
        #expect(report.isSound, "\(report.findings)", sourceLocation: sourceLocation)
    }

    func delete(_ name: String) async throws {
        try await base.delete([DeleteRequest(key: ObjectKey(name), version: nil)])[0].get()
    }

    /// Changes one byte; a negative place counts from the end.
    func flip(_ name: String, at place: Int) async throws {
        var bytes = try await StoredObject.read(name, from: base, limit: 1 << 30)
        bytes[place < 0 ? bytes.count + place : place] ^= 1
        try await StoredObject.put(bytes, name, to: base, condition: .unconditional)
    }

    func cut(_ name: String, to count: Int) async throws {
        let bytes = try await StoredObject.read(name, from: base, limit: 1 << 30)
        try await StoredObject.put(Array(bytes.prefix(count)), name, to: base, condition: .unconditional)
    }
}
