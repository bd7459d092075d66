import Buffers
import Digests
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// A source that knows the BLAKE3 of its objects: no copy is completed whose bytes have another.
@Suite(.timeLimit(.minutes(10))) struct WholeHashTests {
    /// How an object goes over.
    enum Way: CaseIterable, Sendable {
        case atOnce, parallel, inOrder, cutByContent

        var size: Int { self == .atOnce ? 5000 : 6 << 20 | 11 }
    }

    /// The source tells BLAKE3 only.
    private func pair(_ way: Way) throws -> (EngineFixture, [UInt8], StagedMemoryStore) {
        let content = EngineFixture.pattern(way.size)
        let memory = StagedMemory()
        memory.change("x", content)
        let source = StagedMemoryStore(memory, reported: { ObjectChecksums(blake3: $0.blake3) })
        let pair = try EngineFixture()
        pair.options.delta = way == .cutByContent
        pair.options.memory = way == .cutByContent ? 128 << 20 : 32 << 20
        if way == .inOrder { pair.targetSide = VariantStore(pair.target, isSequential: true) }
        return (pair, content, source)
    }

    @Test(arguments: Way.allCases) func `the hash is compared and recorded`(way: Way) async throws {
        let (pair, content, source) = try pair(way)
        pair.sourceSide = source
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty && run.summary.counts.copiedObjects == 1)
        #expect(try await pair.contents(of: pair.target)["x"] == content)
        let ledger = try pair.openLedger()
        #expect(try await ledger.row(for: "x")?.blake3 == content.withUnsafeBytes { BLAKE3.hash($0) })
        try await ledger.close()
    }

    @Test(arguments: Way.allCases) func `bytes that arrive damaged are never completed`(way: Way) async throws {
        let (pair, _, source) = try pair(way)
        pair.sourceSide = FaultStore(source) { operation, _ in operation == .read ? .flippedBit : nil }
        let run = try await pair.run()
        #expect(run.recorder.failures["x"]?.code == .store(.checksumMismatch))
        #expect(run.recorder.failures["x"]?.side == .source)
        #expect(run.target.requests[.put] == nil && run.target.requests[.completeUpload] == nil)
        #expect(try await pair.contents(of: pair.target).isEmpty)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test(arguments: Way.allCases) func `one damaged read is read again`(way: Way) async throws {
        let (pair, content, source) = try pair(way)
        let plan = FaultPlan()
        plan.add(.read, "x", call: way == .atOnce ? 1 : 2, .flippedBit)
        pair.sourceSide = FaultStore(source, plan)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty && plan.unused.isEmpty)
        #expect(try await pair.contents(of: pair.target)["x"] == content)
    }

    @Test func `an upload that an earlier run began is completed without the hash`() async throws {
        let (pair, content, source) = try pair(.parallel)
        let interruption = pair.interruption
        let reads = Counter()
        pair.options.concurrency = 1
        pair.sourceSide = FaultStore(source) { operation, _ in
            if operation == .read, reads.next() == 4 { interruption.stop() }
            return nil
        }
        #expect(try await pair.run().summary.stop == .interrupted)
        pair.sourceSide = source
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty && run.summary.counts.resumedBytes > 0)
        #expect(try await pair.contents(of: pair.target)["x"] == content)
    }

    /// Parts that wait for their turn hold memory: in pools of any size, nobody waits for ever.
    @Test(arguments: [1, 2, 3, 7], [false, true]) func `small pools`(mebibytes: Int, isSequential: Bool) async throws {
        let memory = StagedMemory()
        for index in 0..<10 { memory.change(ObjectKey("large\(index)"), EngineFixture.pattern(4 << 20 | index)) }
        for index in 0..<200 { memory.change(ObjectKey("small\(index)"), EngineFixture.pattern(900 + index)) }
        let pair = try EngineFixture()
        pair.sourceSide = StagedMemoryStore(memory)
        if isSequential { pair.targetSide = VariantStore(pair.target, isSequential: true) }
        pair.options.memory = mebibytes << 20
        pair.options.concurrency = 8
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty && run.summary.counts.copiedObjects == 210)
        #expect(run.summary.peakBuffers <= mebibytes << 20)
        #expect(try await pair.contents(of: pair.target) == memory.contents.mapValues(\.bytes))
    }

    @Test(arguments: [2, 4], [false, true])
    func `a part that cannot be read keeps nobody waiting`(part: Int, isSequential: Bool) async throws {
        let memory = StagedMemory()
        for index in 0..<6 { memory.change(ObjectKey("large\(index)"), EngineFixture.pattern(5 << 20)) }
        let pair = try EngineFixture()
        let reads = Counter()
        pair.sourceSide = FaultStore(StagedMemoryStore(memory)) { operation, key in
            operation == .read && key == "large3" && reads.next() >= part ? .error(.forbidden) : nil
        }
        if isSequential { pair.targetSide = VariantStore(pair.target, isSequential: true) }
        pair.options.memory = 3 << 20
        pair.options.concurrency = 8
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["large3": .store(.forbidden)])
        #expect(run.summary.counts.copiedObjects == 5)
    }
}
