import Manifests
import ObjectStores
import Replication
import ReplicationModel
import TestFixtures
import Testing

/// What is sent when large objects change, and that they are always equal afterwards.
@Suite(.timeLimit(.minutes(2))) struct DeltaTests {
    private static let large = 4 << 20

    private func sentShare(_ counts: RunCounts) -> Double { Double(counts.sentBytes) / Double(counts.copiedBytes) }

    /// A large object that is at the target, and has become another one at the source.
    private func change(
        minimum: Int64 = 80 << 10, _ edit: ([UInt8]) -> [UInt8]
    ) async throws -> (EngineFixture, EngineFixture.Run) {
        let pair = try DeltaFixture.make(minimum: minimum)
        let before = DeltaFixture.random(Self.large, seed: 1)
        try await pair.put("a", before)
        let first = try await pair.run()
        #expect(first.summary.counts.sentBytes == Int64(Self.large))
        #expect(first.summary.counts.avoidedBytes == 0)
        let after = edit(before)
        try await pair.put("a", after)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.sentBytes + run.summary.counts.avoidedBytes == Int64(after.count))
        #expect(try await DeltaFixture.isSettled(pair))
        return (pair, run)
    }

    @Test func `appending one per cent sends little more`() async throws {
        let (_, run) = try await change { $0 + DeltaFixture.random(Self.large / 100, seed: 2) }
        #expect(sentShare(run.summary.counts) < 0.08)
    }

    @Test func `inserting in the middle sends little more than the insertion`() async throws {
        let (_, run) = try await change { bytes in
            Array(bytes[..<(Self.large / 2)]) + DeltaFixture.random(16 << 10, seed: 2)
                + Array(bytes[(Self.large / 2)...])
        }
        #expect(sentShare(run.summary.counts) < 0.06)
    }

    @Test func `other bytes of the same length are sent`() async throws {
        let (_, run) = try await change { $0.enumerated().map { (2_000_000..<2_010_000).contains($0) ? ~$1 : $1 } }
        #expect(sentShare(run.summary.counts) < 0.06)
    }

    @Test func `an object that shares nothing is sent whole`() async throws {
        let (_, run) = try await change { _ in DeltaFixture.random(Self.large, seed: 9) }
        #expect(run.summary.counts.avoidedBytes == 0)
        #expect(run.target.requests[.copyPart] == nil)
    }

    @Test func `bytes without content are no obstacle`() async throws {
        let (_, run) = try await change { bytes in bytes + [UInt8](repeating: 0, count: 1 << 20) + bytes }
        #expect(run.summary.counts.avoidedBytes > 7 << 20)
    }

    @Test func `a renamed object is not sent at all`() async throws {
        let pair = try DeltaFixture.make()
        let bytes = DeltaFixture.random(Self.large, seed: 1)
        try await pair.put("old", bytes)
        try await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "old", version: nil)])
        try await pair.put("new", bytes)
        pair.options.deletion = .on(limit: .init(count: 10, percent: 100), backupPrefix: nil)
        let run = try await pair.run()
        #expect(run.summary.counts.sentBytes == 0)
        #expect(run.summary.counts.avoidedBytes == Int64(Self.large))
        #expect(run.summary.counts.deletedObjects == 1)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    /// Four files of one gibibyte together, on this scale, become five.
    @Test(arguments: [80 << 10, 1] as [Int64]) func `data that is divided anew is not sent again`(minimum: Int64)
        async throws
    {
        let pair = try DeltaFixture.make(minimum: minimum)
        let bytes = DeltaFixture.random(4 * Self.large, seed: 3)
        for index in 0..<4 {
            try await pair.put(
                ObjectKey("\(index)-of-4"), Array(bytes[(index * Self.large)..<((index + 1) * Self.large)]))
        }
        try await pair.run()
        let border = { (index: Int) in bytes.count * index / 5 }
        for index in 0..<5 {
            try await pair.put(ObjectKey("\(index)-of-5"), Array(bytes[border(index)..<border(index + 1)]))
        }
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(sentShare(run.summary.counts) < 0.05)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>) func `after any edits both sides are equal`(seed: UInt64)
        async throws
    {
        var random = SeededRandom(seed: seed)
        let pair = try DeltaFixture.make(minimum: random.pick([1, 30_000, 80 << 10]))
        var files = [0: DeltaFixture.random(2 << 20, seed: seed)]
        for round in 0..<6 {
            let number = random.pick(Array(files.keys.sorted()))
            var bytes = files[number]!
            let edge = Int.random(in: 0...bytes.count, using: &random)
            let new = DeltaFixture.random(Int.random(in: 1...300_000, using: &random), seed: seed + UInt64(round) << 32)
            switch random.pick(["append", "prepend", "insert", "delete", "replace", "swap", "repeat", "divide"]) {
            case "append": bytes += new
            case "prepend": bytes = new + bytes
            case "insert": bytes.insert(contentsOf: new, at: edge)
            case "delete": bytes.removeSubrange((edge / 2)..<edge)
            case "replace": bytes.replaceSubrange(edge..<min(edge + new.count, bytes.count), with: new)
            case "swap": bytes = Array(bytes[edge...] + bytes[..<edge])
            case "repeat": bytes += bytes.prefix(1 << 20)
            default:
                files[files.count] = Array(bytes[edge...])
                bytes = Array(bytes[..<edge])
            }
            files[number] = bytes
            for (number, bytes) in files { try await pair.put(ObjectKey("file \(number)"), bytes) }
            let run = try await pair.run()
            #expect(run.recorder.failures.isEmpty, "seed \(seed) round \(round)")
            #expect(try await pair.isIdentical(), "seed \(seed) round \(round)")
        }
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `what was copied without it is known after the first run with it`() async throws {
        let pair = try DeltaFixture.make()
        var bytes = DeltaFixture.random(Self.large, seed: 1)
        pair.options.delta = false
        try await pair.put("a", bytes)
        #expect(try await pair.run().summary.counts.avoidedBytes == 0)
        pair.options.delta = true
        bytes += [1]
        try await pair.put("a", bytes)
        #expect(try await pair.run().summary.counts.avoidedBytes == 0)
        bytes += [2]
        try await pair.put("a", bytes)
        #expect(try await pair.run().summary.counts.avoidedBytes > Int64(Self.large) * 9 / 10)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    // MARK: Where it cannot be done

    private func isSentWhole(_ pair: EngineFixture, notice: String) async throws {
        let bytes = DeltaFixture.random(Self.large, seed: 1)
        for key in ["a", "b"] as [ObjectKey] { try await pair.put(key, bytes) }
        try await pair.run()
        for key in ["a", "b"] as [ObjectKey] { try await pair.put(key, bytes + [1]) }
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.avoidedBytes == 0)
        #expect(run.recorder.notices.filter { $0.contains(notice) }.count == 1, "\(run.recorder.notices)")
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `a target that does not copy ranges gets whole objects, and one sentence says so`() async throws {
        let pair = try DeltaFixture.make()
        var capabilities = pair.target.capabilities
        capabilities.copiesParts = false
        pair.targetSide = VariantStore(pair.target, capabilities: capabilities)
        try await isSentWhole(pair, notice: "cannot make objects from ranges")
    }

    @Test func `a target that takes equal parts only gets whole objects`() async throws {
        let pair = try DeltaFixture.make()
        var capabilities = pair.target.capabilities
        capabilities.partsMayDiffer = false
        pair.targetSide = VariantStore(pair.target, capabilities: capabilities)
        try await isSentWhole(pair, notice: "cannot make objects from ranges")
    }

    @Test func `too little memory is said`() async throws {
        let pair = try DeltaFixture.make(memory: 1 << 20)
        pair.options.partSize = 512 << 10
        try await isSentWhole(pair, notice: "2M would do")
    }

    @Test func `a server that finds out at the end that it wants equal parts gets them`() async throws {
        let pair = try DeltaFixture.make()
        let plan = FaultPlan()
        plan.add(.completeUpload, call: 1, .error(.invalidRequest))
        pair.targetSide = FaultStore(pair.target, plan)
        try await pair.put("a", DeltaFixture.random(Self.large, seed: 1))
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.recorder.notices.contains { $0.contains("refused an upload of parts that content cuts") })
        #expect(plan.unused.isEmpty)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `parts go one after the other where they must`() async throws {
        let pair = try DeltaFixture.make()
        pair.targetSide = VariantStore(pair.target, isSequential: true)
        let bytes = DeltaFixture.random(Self.large, seed: 1)
        try await pair.put("a", bytes)
        #expect(try await pair.run().recorder.failures.isEmpty)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    // MARK: Memory

    @Test(arguments: [1 << 20, 2 << 20, 5 << 20]) func `many objects in little memory come through`(memory: Int)
        async throws
    {
        let pair = try DeltaFixture.make(memory: memory)
        pair.options.concurrency = 3
        let bytes = DeltaFixture.random(2 << 20, seed: 1)
        for index in 0..<8 { try await pair.put(ObjectKey("large \(index)"), Array(bytes[(index << 10)...])) }
        for index in 0..<60 { try await pair.put(ObjectKey("small \(index)"), EngineFixture.pattern(9000 + index)) }
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.peakBuffers <= memory)
        for index in 0..<8 {
            try await pair.put(ObjectKey("large \(index)"), Array(bytes[..<((2 << 20) - index << 10)]))
        }
        #expect(try await pair.run().summary.counts.avoidedBytes > 0)
        #expect(try await DeltaFixture.isSettled(pair))
    }
}
