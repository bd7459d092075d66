import Digests
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// What goes wrong at the target, in the ledger or with the run: nothing false is ever taken for a copy.
@Suite(.timeLimit(.minutes(2))) struct DeltaSafetyTests {
    private static let bytes = DeltaFixture.random(4 << 20, seed: 1)

    /// `a` is at the target and about to be changed at the source.
    private func appended() async throws -> EngineFixture {
        let pair = try DeltaFixture.make()
        try await pair.put("a", Self.bytes)
        try await pair.run()
        try await pair.put("a", Self.bytes + [1, 2, 3])
        return pair
    }

    /// `a` is at the target; `b` has the same bytes and is new.
    private func twin() async throws -> EngineFixture {
        let pair = try DeltaFixture.make()
        try await pair.put("a", Self.bytes)
        try await pair.run()
        try await pair.put("b", Self.bytes)
        return pair
    }

    // MARK: The target changes

    @Test(arguments: [1, 4]) func `an object that somebody replaces is copied from no more`(call: Int) async throws {
        let pair = try await twin()
        let target = pair.target
        let plan = FaultPlan()
        plan.add(.copyPart, call: call, .before { await EngineFixture.store([7], "a", target) })
        pair.targetSide = FaultStore(target, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty)
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.sentBytes + run.summary.counts.avoidedBytes == Int64(Self.bytes.count))
        #expect(try await pair.contents(of: pair.target)["b"] == Self.bytes)
    }

    @Test func `an object that vanishes is copied from no more`() async throws {
        let pair = try await twin()
        let target = pair.target
        let plan = FaultPlan()
        plan.add(.copyPart, .before { _ = await target.delete([DeleteRequest(key: "a", version: nil)]) })
        pair.targetSide = FaultStore(target, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty && run.recorder.failures.isEmpty)
        #expect(try await DeltaFixture.isSettled(pair) == false)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test(arguments: [StoreError.Code.unsupportedOperation, .invalidRequest, .forbidden])
    func `bytes that the target does not copy are sent`(code: StoreError.Code) async throws {
        let pair = try await twin()
        let plan = FaultPlan()
        plan.add(.copyPart, .error(code))
        pair.targetSide = FaultStore(pair.target, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty && run.recorder.failures.isEmpty)
        #expect(run.summary.counts.sentBytes > 0)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `somebody else's object at the target is left alone`() async throws {
        let pair = try await appended()
        let target = pair.target
        let plan = FaultPlan()
        plan.add(.completeUpload, .before { await EngineFixture.store([7], "a", target) })
        pair.targetSide = FaultStore(target, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty)
        #expect(run.recorder.skips["a"] == .conflict)
        #expect(try await pair.contents(of: target)["a"] == [7])
        #expect(try await target.openUploads(ListRequest()).uploads.isEmpty)
    }

    // MARK: The source changes

    @Test func `a source that changes meanwhile starts the object again`() async throws {
        let pair = try await appended()
        let source = pair.source
        let plan = FaultPlan()
        plan.add(.read, call: 20, .before { await EngineFixture.store(Self.bytes + [9], "a", source) })
        pair.sourceSide = FaultStore(source, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty && run.recorder.failures.isEmpty)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `bytes that arrive damaged are read again`() async throws {
        let pair = try await appended()
        let plan = FaultPlan()
        plan.add(.read, call: 20, .flippedBit)
        pair.sourceSide = FaultStore(pair.source, plan)
        let run = try await pair.run()
        #expect(plan.unused.isEmpty && run.recorder.failures.isEmpty)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    // MARK: The ledger lies

    /// The ledger says that the target holds each segment of `a` a little further on than it does.
    private func lie(_ pair: EngineFixture) async throws {
        let ledger = try pair.openLedger()
        let row = try #require(try await ledger.row(for: "a"))
        var reader = SegmentsOf(Self.bytes, pair.options.segments)
        let shifted = reader.all().map {
            ContentSegment(offset: max(0, $0.offset - 1000), digest: $0.digest, blake3: $0.blake3)
        }
        try await ledger.apply([.segments(shifted, of: "a", at: row.targetVersion)])
        try await ledger.close()
    }

    @Test func `what the target says of a copied part is compared`() async throws {
        let pair = try await twin()
        try await lie(pair)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.sentBytes == Int64(Self.bytes.count))
        #expect((run.target.requests[.copyPart] ?? 0) > 0)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `a target that checks the whole object completes nothing false`() async throws {
        let pair = try await twin()
        try await lie(pair)
        pair.targetSide = VariantStore(pair.target, believesCopies: true)
        let run = try await pair.run()
        #expect(run.recorder.failures["b"]?.code == .store(.checksumMismatch))
        #expect(try await pair.contents(of: pair.target)["b"] == nil)
        let again = try await pair.run()
        #expect(again.recorder.failures.isEmpty)
        #expect(again.summary.counts.sentBytes == Int64(Self.bytes.count))
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `what a target checks in no way is read back`() async throws {
        let pair = try await twin()
        try await lie(pair)
        pair.targetSide = VariantStore(pair.target, isSilent: true, believesCopies: true)
        let run = try await pair.run()
        #expect(run.recorder.failures["b"]?.code == .corrupted)
        #expect(try await pair.falseRows().isEmpty)
        let again = try await pair.run()
        #expect(again.recorder.failures.isEmpty)
        #expect(again.summary.counts.avoidedBytes == 0)
        #expect(try await DeltaFixture.isSettled(pair))
    }

    // MARK: Runs that end

    @Test(arguments: [2, 9, 20]) func `an interrupted run is continued`(call: Int) async throws {
        let pair = try DeltaFixture.make()
        try await pair.put("a", Self.bytes)
        let (interruption, plan) = (pair.interruption, FaultPlan())
        plan.add(.uploadPart, call: call, .after { interruption.stop() })
        pair.targetSide = FaultStore(pair.target, plan)
        #expect(try await pair.run().summary.stop == .interrupted)
        #expect(plan.unused.isEmpty)
        pair.targetSide = pair.target
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.resumedBytes > 0)
        #expect(run.summary.counts.sentBytes + run.summary.counts.resumedBytes == Int64(Self.bytes.count))
        #expect(try await DeltaFixture.isSettled(pair))
    }

    /// What the ledger announced before completing hides the former version: its parts are there all the same.
    @Test func `a run that ends just before it completes is continued without sending`() async throws {
        let pair = try await appended()
        let interruption = pair.interruption
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            guard operation == .completeUpload else { return nil }
            interruption.stop()
            return .error(.cancelled)
        }
        #expect(try await pair.run().summary.stop == .interrupted)
        pair.targetSide = pair.target
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.sentBytes == 0 && run.summary.counts.avoidedBytes == 0)
        #expect(run.summary.counts.resumedBytes == Int64(Self.bytes.count + 3))
        #expect(try await DeltaFixture.isSettled(pair))
    }

    @Test func `an upload cut by content is not continued without it`() async throws {
        let pair = try DeltaFixture.make()
        try await pair.put("a", Self.bytes)
        let (interruption, plan) = (pair.interruption, FaultPlan())
        plan.add(.uploadPart, call: 9, .after { interruption.stop() })
        pair.targetSide = FaultStore(pair.target, plan)
        #expect(try await pair.run().summary.stop == .interrupted)
        pair.targetSide = pair.target
        pair.options.delta = false
        let run = try await pair.run()
        #expect(run.summary.counts.resumedBytes == 0)
        #expect(try await DeltaFixture.isSettled(pair))
    }
}

/// The segments of some bytes, as the engine finds them.
private struct SegmentsOf {
    private let bytes: [UInt8]
    private var cutter: SegmentCutter

    init(_ bytes: [UInt8], _ limits: SegmentCutter.Limits) {
        self.bytes = bytes
        cutter = SegmentCutter(limits)
    }

    mutating func all() -> [ContentSegment] {
        var segments: [ContentSegment] = []
        var start = 0
        while start < bytes.count {
            bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[start...])
                let count = cutter.cut(rest) ?? rest.count
                let segment = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
                segments.append(
                    ContentSegment(
                        offset: Int64(start), digest: ContentDigest(of: segment), blake3: BLAKE3.hash(segment)))
                start += count
            }
        }
        return segments
    }
}
