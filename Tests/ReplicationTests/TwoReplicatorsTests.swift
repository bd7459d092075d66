import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import TestFixtures
import Testing

/// I8: two runs over one pair at the same time, each with a ledger of its own, as when a state was copied to another machine.
@Suite struct TwoReplicatorsTests {
    private static let capabilities = StoreCapabilities(
        partSize: 1...32, maxParts: 10_000, maxObjectSize: 1 << 30, maxPutSize: 64, maxCopySize: 1 << 20,
        copiesParts: true, conditionalWrites: .enforced, listPageLimit: 3, deleteBatch: 2,
        versionCoversAttributes: true, reportsChecksums: true)
    private static let keys: [ObjectKey] = ["a", "b", "c/d", "e", "f", "g"]

    @Test func `they end in the state of one after the other, and neither ledger lies`() async throws {
        for seed in UInt64(1)...150 { try await play(seed) }
    }

    private func play(_ seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let source = MemoryStore(name: "memory://source", capabilities: Self.capabilities)
        let target = MemoryStore(name: "memory://target", capabilities: Self.capabilities)
        let ledgers = [MemoryLedger(), MemoryLedger()]
        for round in 1...4 {
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let key = random.pick(Self.keys)
                if random.chance(80) {
                    await EngineFixture.store(random.bytes(), key, source)
                } else {
                    _ = await source.delete([DeleteRequest(key: key, version: nil)])
                }
            }
            await EngineFixture.store([1], "anchor", source)
            let summaries = await withTaskGroup(of: RunSummary.self) { group in
                for ledger in ledgers { group.addTask { await run(source, target, ledger) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let note: Comment = "seed \(seed) round \(round)"
            for summary in summaries {
                #expect(summary.failure == nil && summary.counts.failedObjects == 0, note)
                #expect(summary.counts.conflicts == 0, note)
            }
            let here = try await EngineFixture.contents(of: source).mapValues(\.bytes)
            let there = try await EngineFixture.contents(of: target)
            #expect(here == there.mapValues(\.bytes), note)
            #expect(try await target.openUploads(ListRequest()).uploads.isEmpty, note)
            for ledger in ledgers {
                for row in try await ledger.rows(after: nil, limit: 100) where row.evidence > .none {
                    guard let found = there[row.key], found.version == row.targetVersion else { continue }
                    let digest = found.bytes.withUnsafeBytes { EngineFixture.crc32c($0) }
                    #expect(row.checksums.crc32c == digest, note)
                }
            }
        }
    }

    private func run(_ source: MemoryStore, _ target: MemoryStore, _ ledger: MemoryLedger) async -> RunSummary {
        var options = ReplicationOptions()
        options.memory = 1 << 20
        options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
        let time = ImmediateTime()
        let policy = RetryPolicy(maxAttempts: 3)
        return await Replicator(
            source: RetryingStore(source, policy: policy, time: time),
            target: RetryingStore(target, policy: policy, time: time), ledger: ledger, options: options,
            pool: BufferPool(limit: options.memory), time: time, nonce: "nonce", observer: EventRecorder()
        ).run()
    }
}
