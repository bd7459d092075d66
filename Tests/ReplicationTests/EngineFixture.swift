import Buffers
import Digests
import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Synchronization

/// Collects the events of a run.
final class EventRecorder: ReplicationObserver {
    private let recorded = Mutex<[ReplicationEvent]>([])

    func handle(_ event: ReplicationEvent) {
        recorded.withLock { $0.append(event) }
    }

    var events: [ReplicationEvent] { recorded.withLock { $0 } }

    var failures: [ObjectKey: TransferFailure] {
        Dictionary(
            events.compactMap { if case .failed(let key, let failure) = $0 { (key, failure) } else { nil } },
            uniquingKeysWith: { first, _ in first })
    }

    var skips: [ObjectKey: SkipReason] {
        Dictionary(
            events.compactMap { if case .skipped(let key, let reason) = $0 { (key, reason) } else { nil } },
            uniquingKeysWith: { first, _ in first })
    }

    var notices: [String] {
        events.compactMap { if case .notice(let text) = $0 { text } else { nil } }
    }
}

/// Clocks that never wait.
struct ImmediateTime: Timekeeper {
    func now() -> Int64 { SystemTime().now() }
    func monotonic() -> Int64 { SystemTime().monotonic() }
    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        await Task.yield()
    }
}

/// Stops the run that is under way, as a signal does.
final class Interruption: Sendable {
    private let cancel = Mutex<(@Sendable () -> Void)?>(nil)

    func arm(_ cancel: @escaping @Sendable () -> Void) {
        self.cancel.withLock { $0 = cancel }
    }

    func stop() {
        cancel.withLock { $0 }?()
    }
}

/// A pair in memory with a real ledger in a temporary directory.
final class EngineFixture {
    let source: MemoryStore
    let target: MemoryStore
    var options = ReplicationOptions()
    /// What the engine sees; tests put faults in between.
    var sourceSide: any ObjectStore
    var targetSide: any ObjectStore
    /// What the engine sees of the ledger.
    var ledgerSide: (SQLiteLedger) -> any Ledger = { $0 }
    var policy = RetryPolicy(maxAttempts: 3)
    /// The size of the pool, where it is not `options.memory`.
    var poolLimit: Int?
    let interruption = Interruption()
    private let directory: URL
    private var ledgerName = "ledger"

    init(
        source: MemoryStore = MemoryStore(name: "memory://source"),
        target: MemoryStore = MemoryStore(name: "memory://target")
    ) throws {
        self.source = source
        self.target = target
        sourceSide = source
        targetSide = target
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        options.memory = 32 << 20
        options.partSize = 1 << 20
    }

    deinit {
        do { try FileManager.default.removeItem(at: directory) } catch {
            print("left behind: \(directory.path): \(error)")
        }
    }

    /// The next runs start without the ledger of those before.
    func loseLedger() {
        ledgerName = UUID().uuidString
    }

    func openLedger() throws -> SQLiteLedger {
        try SQLiteLedger(
            path: directory.appendingPathComponent(ledgerName + ".sqlite").path, source: source.name,
            target: target.name)
    }

    struct Run: Sendable {
        var summary: RunSummary
        var recorder: EventRecorder
        var source: StoreMeter
        var target: StoreMeter
    }

    @discardableResult
    func run() async throws -> Run {
        try await start().value
    }

    func start() throws -> Task<Run, any Error> {
        let recorder = EventRecorder()
        let time = ImmediateTime()
        let meteredSource = MeteredStore(sourceSide)
        let meteredTarget = MeteredStore(targetSide)
        let ledger = try openLedger()
        let replicator = Replicator(
            source: RetryingStore(meteredSource, policy: policy, time: time),
            target: RetryingStore(meteredTarget, policy: policy, time: time), ledger: ledgerSide(ledger),
            options: options, pool: BufferPool(limit: poolLimit ?? options.memory), time: time,
            nonce: UUID().uuidString, observer: recorder)
        let task = Task { await replicator.run() }
        interruption.arm { task.cancel() }
        return Task {
            let summary = await task.value
            try await ledger.close()
            return Run(summary: summary, recorder: recorder, source: meteredSource.meter, target: meteredTarget.meter)
        }
    }

    @discardableResult
    func put(
        _ key: ObjectKey, _ content: [UInt8], in store: MemoryStore? = nil,
        attributes: ObjectAttributes = ObjectAttributes()
    ) async throws -> VersionToken {
        let pool = BufferPool(limit: max(1 << 20, BufferPool.footprint(content.count)))
        let buffer = try await pool.acquire(content.count)
        content.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { buffer.base.copyMemory(from: base, byteCount: bytes.count) }
        }
        let digest = content.withUnsafeBytes { ContentDigest(of: $0) }
        return try await (store ?? source).put(
            PutRequest(
                key: key, body: content.isEmpty ? nil : buffer.slice(content.count), digest: digest,
                attributes: attributes,
                condition: .unconditional)
        ).version
    }

    /// Somebody sends a part of an upload that is open at the target.
    func sendPart(_ number: Int, _ content: [UInt8], of session: UploadSession) async throws {
        let buffer = try await BufferPool(limit: BufferPool.footprint(content.count)).acquire(content.count)
        content.withUnsafeBytes { buffer.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        _ = try await target.uploadPart(
            PartRequest(
                number: number, offset: Int64(number - 1) * session.partSize, body: buffer.slice(content.count),
                digest: content.withUnsafeBytes { ContentDigest(of: $0) }), of: session)
    }

    /// Puts for faults, which have nobody to tell about a failure.
    @discardableResult
    static func store(_ content: [UInt8], _ key: ObjectKey, _ store: MemoryStore) async -> VersionToken {
        do {
            let pool = BufferPool(limit: BufferPool.footprint(content.count))
            let buffer = try await pool.acquire(content.count)
            content.withUnsafeBytes { bytes in
                if let base = bytes.baseAddress { buffer.base.copyMemory(from: base, byteCount: bytes.count) }
            }
            return try await store.put(
                PutRequest(
                    key: key, body: content.isEmpty ? nil : buffer.slice(content.count),
                    digest: content.withUnsafeBytes { ContentDigest(of: $0) }, attributes: ObjectAttributes(),
                    condition: .unconditional)
            ).version
        } catch {
            preconditionFailure("a store in memory takes every object: \(error)")
        }
    }

    /// Everything that a store holds, read back.
    func contents(of store: MemoryStore) async throws -> [ObjectKey: [UInt8]] {
        try await Self.contents(of: store).mapValues(\.bytes)
    }

    static func contents(of store: MemoryStore) async throws -> [ObjectKey: (version: VersionToken, bytes: [UInt8])] {
        let pool = BufferPool(limit: 64 << 20)
        var result: [ObjectKey: (version: VersionToken, bytes: [UInt8])] = [:]
        var cursor: String?
        repeat {
            let page = try await store.list(ListRequest(cursor: cursor))
            for object in page.objects where !ReservedKeys.contains(object.key) {
                let buffer = try await pool.acquire(Int(object.size))
                _ = try await store.read(
                    ReadRequest(
                        key: object.key, range: ByteRange(offset: 0, length: object.size), version: object.version,
                        objectSize: object.size), into: buffer)
                result[object.key] = (object.version, buffer.slice(Int(object.size)).withUnsafeBytes { Array($0) })
            }
            cursor = page.next
        } while cursor != nil
        return result
    }

    /// Whether both sides hold the same keys with the same bytes.
    func isIdentical() async throws -> Bool {
        try await contents(of: source) == contents(of: target)
    }

    /// Every row names versions whose bytes are equal, as far as those versions are still there.
    func falseRows() async throws -> [LedgerRow] {
        let ledger = try openLedger()
        let here = try await contents(of: source)
        let there = try await contents(of: target)
        var wrong: [LedgerRow] = []
        for row in try await ledger.rows(after: nil, limit: 10_000) where row.evidence > .none {
            guard let a = here[row.key], let b = there[row.key] else { continue }
            guard try await source.head(row.key).object.version == row.sourceVersion,
                try await target.head(row.key).object.version == row.targetVersion
            else { continue }
            if a != b { wrong.append(row) }
        }
        try await ledger.close()
        return wrong
    }

    static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 { ContentDigest(of: bytes).crc32c }

    static func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
    }
}
