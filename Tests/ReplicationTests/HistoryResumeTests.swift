import Buffers
import ObjectStores
import Replication
import ReplicationModel
import TestFixtures
import Testing

/// Runs that are killed again and again, at any call of a store, without another fault: I4.
@Suite struct HistoryResumeTests {
    private static let part: Int64 = 32
    private static let keys: [ObjectKey] = ["a", "b/c", "d", "e"]
    private static let capabilities = StoreCapabilities(
        partSize: 1...part, maxParts: 10_000, maxObjectSize: 1 << 30, maxPutSize: 64, maxCopySize: 1 << 20,
        copiesParts: true, conditionalWrites: .enforced, listPageLimit: 3, deleteBatch: 2,
        versionCoversAttributes: true, reportsChecksums: true)

    @Test func `after each kill at most one part per worker is sent again`() async throws {
        var kills = 0
        for seed: UInt64 in 1...300 {
            let executor = HistoryExecutor(seed: seed)
            kills += try await Task(executorPreference: executor) { try await Self.play(seed, executor) }.value
        }
        #expect(kills > 300)
    }

    /// Returns how often the process was killed.
    private static func play(_ seed: UInt64, _ executor: HistoryExecutor) async throws -> Int {
        var random = SeededRandom(seed, ["resume"])
        let time = HistoryTime(turns: random.pick([1, 10, 100]))
        let model = HistoryModel(
            source: MemoryStore(name: "memory://source", capabilities: capabilities, time: time),
            target: MemoryStore(name: "memory://target", capabilities: capabilities, time: time))
        var total: Int64 = 0
        for key in keys {
            let bytes = (0..<Int.random(in: 65...600, using: &random)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            await model.putSource(bytes, key)
            total += Int64(bytes.count)
        }
        var options = ReplicationOptions()
        options.memory = 1 << 20
        options.concurrency = random.pick([1, 2, 4])
        let ledger = MemoryLedger()
        var sent: Int64 = 0
        var kills = 0
        while true {
            let process = HistoryProcess(
                lastCall: kills < 10 ? Int.random(in: 1...60, using: &random) : nil,
                lastCallArrives: random.chance(50), model: model)
            let meter = MeteredStore(FaultStore(model.target) { _, _ in process.next() })
            let summary = await Replicator(
                source: FaultStore(model.source) { _, _ in process.next() }, target: meter,
                ledger: FaultLedger(ledger) { _ in !process.isDead }, options: options,
                pool: BufferPool(limit: options.memory), time: time, nonce: "\(seed)-\(kills)",
                observer: EventRecorder(), executors: [executor], background: executor
            ).run()
            sent += meter.meter.bytesWritten
            guard process.isDead else {
                #expect(summary.failure == nil && summary.counts.failedObjects == 0, "seed \(seed)")
                break
            }
            kills += 1
        }
        let again = sent - total
        #expect(
            again <= Int64(kills * options.concurrency) * part,
            "seed \(seed): \(again) bytes after \(kills) kills, \(options.concurrency) workers")
        let here = try await EngineFixture.contents(of: model.source).mapValues(\.bytes)
        let there = try await EngineFixture.contents(of: model.target).mapValues(\.bytes)
        #expect(here == there && model.problems.isEmpty, "seed \(seed): \(model.problems)")
        return kills
    }
}
