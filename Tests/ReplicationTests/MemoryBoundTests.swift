import Buffers
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// I10: memory is a budget, and a small one only makes a run slower.
@Suite(.timeLimit(.minutes(10))) struct MemoryBoundTests {
    @Test func `many large objects never hold more than the pool`() async throws {
        let pair = try EngineFixture()
        for index in 0..<12 { try await pair.put(ObjectKey("large\(index)"), EngineFixture.pattern(4 << 20 | index)) }
        for index in 0..<100 { try await pair.put(ObjectKey("small\(index)"), EngineFixture.pattern(20_000)) }
        pair.options.memory = 6 << 20
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.peakBuffers <= 6 << 20)
        #expect(try await pair.isIdentical())
    }

    @Test(arguments: [false, true]) func `a pool of one part is enough`(silent: Bool) async throws {
        let pair = try EngineFixture()
        for index in 0..<300 { try await pair.put(ObjectKey("small\(index)"), EngineFixture.pattern(1000 + index)) }
        for index in 0..<5 { try await pair.put(ObjectKey("large\(index)"), EngineFixture.pattern(2 << 20 | index)) }
        pair.options.memory = 1 << 20
        if silent {
            pair.sourceSide = VariantStore(pair.source, isSilent: true)
            pair.targetSide = VariantStore(pair.target, isSilent: true)
        }
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.peakBuffers <= 1 << 20)
        pair.options.comparison = .checksum
        #expect(try await pair.run().summary.counts.adoptedObjects == 305)
    }

    /// Regions are larger than what is asked for, so a limit and a part size between two regions must not meet.
    @Test(arguments: [(1_500_000, 1_500_000), (1 << 20, 1 << 30), (3_000_000, 2_999_999), (5_000_000, 1_600_000)])
    func `limits and parts of any size work`(memory: Int, part: Int) async throws {
        let pair = try EngineFixture()
        for (index, size) in [0, 1, part, part - 1, part + 1, memory, memory + 1].enumerated() where size < 8 << 20 {
            try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(size))
        }
        pair.options.memory = memory
        pair.options.partSize = Int64(part)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.peakBuffers <= memory)
        #expect(try await pair.isIdentical())
    }

    @Test(arguments: [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1])
    func `sizes around a part`(size: Int) async throws {
        let pair = try EngineFixture()
        try await pair.put("a", EngineFixture.pattern(size))
        let run = try await pair.run()
        #expect(run.summary.counts.copiedBytes == Int64(size))
        #expect(run.summary.counts.sentBytes == Int64(size))
        #expect((run.target.requests[.put] ?? 0) == (size <= 1 << 20 ? 1 : 0))
        #expect((run.target.requests[.uploadPart] ?? 0) == (size <= 1 << 20 ? 0 : (size + (1 << 20) - 1) >> 20))
        #expect(try await pair.isIdentical())
    }

    @Test func `a pool hands its bytes on in order, and survives waiters that give up`() async throws {
        let pool = BufferPool(limit: 4 << 20)
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<400 {
                group.addTask {
                    do {
                        let buffer = try await pool.acquire((index % 4 + 1) << 19)
                        await Task.yield()
                        withExtendedLifetime(buffer) {}
                    } catch {
                        // Given up while it waited.
                    }
                }
                if index % 100 == 99 { group.cancelAll() }
            }
        }
        #expect(pool.inUse == 0)
        #expect(pool.peak <= pool.limit)
        let all = try await pool.acquire(4 << 20)
        #expect(pool.inUse == 4 << 20)
        withExtendedLifetime(all) {}
    }

    @Test func `a waiter that is cancelled lets those behind it through`() async throws {
        let pool = BufferPool(limit: 2 << 20)
        let held = try await pool.acquire(1 << 20)
        let large = Task { try await pool.acquire(2 << 20) }
        while pool.waiting == 0 { await Task.yield() }
        let small = Task { try await pool.acquire(1 << 20).capacity }
        while pool.waiting == 1 { await Task.yield() }
        large.cancel()
        #expect(try await small.value == 1 << 20)
        await #expect(throws: CancellationError.self) { try await large.value }
        withExtendedLifetime(held) {}
    }
}
