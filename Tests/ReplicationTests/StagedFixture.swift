import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Synchronization

/// A pair whose target shows writes by commits. Every run is a process of its own: what it did not commit goes with it.
final class StagedFixture {
    let source = MemoryStore(name: "memory://source")
    let shared = StagedMemory()
    let ledger = MemoryLedger()
    var options = ReplicationOptions()

    /// A process that can be killed: nothing that it does afterwards has an effect.
    final class Process: Sendable {
        private let dead = Mutex(false)
        var isDead: Bool { dead.withLock { $0 } }
        func die() { dead.withLock { $0 = true } }
    }

    struct Run {
        var summary: RunSummary
        var recorder: EventRecorder
        var store: StagedMemoryStore
        var source: StoreMeter
        var target: StoreMeter
        /// Names of the kinds of changes that the ledger was told.
        var noted: Set<String>
    }

    init() {
        options.memory = 32 << 20
        options.partSize = 1 << 20
        options.concurrency = 4
    }

    func put(_ key: ObjectKey, _ bytes: [UInt8]) async { await EngineFixture.store(bytes, key, source) }

    /// - Parameters:
    ///   - commit: what happens to each commit.
    ///   - reading: what happens before each read of the source.
    ///   - cancelledAt: the read at which the run is cancelled.
    func run(
        isSequential: Bool = true, prepare: (StagedMemoryStore) -> Void = { _ in },
        commit: @escaping @Sendable (CommitKind, Process) async -> StagedMemoryStore.CommitFault? = { _, _ in nil },
        reading: @escaping @Sendable (StagedMemoryStore, ObjectKey) async -> Void = { _, _ in },
        listing: Fault? = nil, cancelledAt: Int? = nil
    ) async -> Run {
        let process = Process()
        let store = StagedMemoryStore(shared, isSequential: isSequential) { kind in await commit(kind, process) }
        prepare(store)
        let interruption = Interruption()
        let reads = Counter()
        let here = MeteredStore(
            FaultStore(source) { operation, key in
                if process.isDead { return .error(.cancelled) }
                if operation == .list { return listing }
                guard operation == .read, let key else { return nil }
                if reads.next() == cancelledAt { interruption.stop() }
                return .before { await reading(store, key) }
            })
        let there = MeteredStore(FaultStore(store) { _, _ in process.isDead ? .error(.cancelled) : nil })
        let recorder = EventRecorder()
        let noted = Mutex<Set<String>>([])
        let ledger = FaultLedger(ledger) { change in
            guard !process.isDead else { return false }
            noted.withLock { _ = $0.insert(String("\(change)".prefix { $0 != "(" })) }
            return true
        }
        let (options, time) = (options, ImmediateTime())
        let replicator = Replicator(
            source: RetryingStore(here, policy: RetryPolicy(maxAttempts: 3), time: time), target: there,
            ledger: ledger, options: options, pool: BufferPool(limit: options.memory), time: time, nonce: "nonce",
            observer: recorder, staged: store)
        let task = Task { await replicator.run() }
        interruption.arm { task.cancel() }
        return Run(
            summary: await task.value, recorder: recorder, store: store, source: here.meter, target: there.meter,
            noted: noted.withLock { $0 })
    }

    func isIdentical() async throws -> Bool {
        try await EngineFixture.contents(of: source).mapValues(\.bytes) == shared.contents.mapValues(\.bytes)
    }

    /// Rows that vouch for what a fresh process does not see at the target.
    func falseRows() async throws -> [ObjectKey] {
        let shown = shared.contents
        return try await ledger.rows(after: nil, limit: .max).filter { row in
            guard row.evidence > .none else { return false }
            guard let there = shown[row.key], there.version == row.targetVersion else { return true }
            return there.bytes.withUnsafeBytes { EngineFixture.crc32c($0) } != row.checksums.crc32c
        }.map(\.key)
    }
}
