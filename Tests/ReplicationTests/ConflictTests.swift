import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// I7: somebody else's work at the target is never lost silently; and our own is never taken for somebody else's.
@Suite struct ConflictTests {
    private let faults = FaultPlan()
    private let foreign = Array("foreign".utf8)

    @Test(arguments: [100, 2 << 20]) func `an object that appears while it is copied is kept and named`(size: Int)
        async throws
    {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", EngineFixture.pattern(size))
        pair.targetSide = FaultStore(pair.target, faults)
        let foreign = foreign
        faults.add(
            size == 100 ? .put : .completeUpload, "a", .before { await EngineFixture.store(foreign, "a", target) })
        let run = try await pair.run()
        #expect(run.recorder.skips["a"] == .conflict)
        #expect(run.summary.counts.conflicts == 1)
        #expect(try await pair.contents(of: target)["a"] == foreign)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test func `an object that is replaced while it is replaced is kept and named`() async throws {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", Array("one".utf8))
        try await pair.run()
        try await pair.put("a", Array("two".utf8))
        pair.targetSide = FaultStore(pair.target, faults)
        let foreign = foreign
        faults.add(.put, "a", .before { await EngineFixture.store(foreign, "a", target) })
        for _ in 0..<2 {
            let run = try await pair.run()
            #expect(run.recorder.skips["a"] == .conflict)
            #expect(try await pair.contents(of: target)["a"] == foreign)
        }
        #expect(faults.unused.isEmpty)
    }

    @Test func `a foreign object that equals the source is adopted`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("one".utf8))
        try await pair.run()
        try await pair.put("a", Array("two".utf8))
        try await pair.put("a", Array("two".utf8), in: pair.target)
        let run = try await pair.run()
        #expect(run.summary.counts.adoptedObjects == 1)
        #expect(Set(try await pair.run().target.requests.keys) == [.list])
    }

    @Test func `somebody else's copy of the metadata does not make it our object`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("right".utf8))
        pair.sourceSide = VariantStore(pair.source, isSilent: true)
        pair.targetSide = VariantStore(pair.target, isSilent: true)
        try await pair.run()
        let mark = try await pair.target.head("a").attributes
        try await pair.put("a", Array("wrong".utf8), in: pair.target, attributes: mark)
        let run = try await pair.run()
        #expect(run.recorder.skips["a"] == .conflict)
        #expect(try await pair.falseRows().isEmpty)
        pair.loseLedger()
        try await pair.run()
        #expect(try await pair.isIdentical())
    }

    @Test(arguments: [100, 2 << 20])
    func `a replacement that was killed before the ledger knew is not a conflict, whatever the source does next`(
        size: Int
    ) async throws {
        let pair = try EngineFixture()
        try await pair.put("a", EngineFixture.pattern(size, seed: 1))
        try await pair.run()
        try await pair.put("a", EngineFixture.pattern(size, seed: 2))
        // What a kill leaves: everything up to the write is durable, the row of the finished copy is not.
        pair.ledgerSide = { FaultLedger($0) { if case .record(let row) = $0 { row.evidence == .none } else { true } } }
        try await pair.run()
        pair.ledgerSide = { $0 }
        try await pair.put("a", EngineFixture.pattern(size, seed: 3))
        let run = try await pair.run()
        #expect(run.recorder.skips.isEmpty)
        #expect(run.summary.counts.copiedObjects == 1)
        #expect(try await pair.isIdentical())
    }

    @Test func `a second replacement that fails does not forget the first one`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", [1])
        try await pair.run()
        pair.targetSide = FaultStore(pair.target, faults)
        // Written, but nobody knows.
        faults.add(.put, "a", .lostReply)
        faults.add(.head, "a", .error(.forbidden))
        try await pair.put("a", [2])
        try await pair.run()
        // Not written.
        faults.add(.put, "a", .error(.forbidden))
        try await pair.put("a", [3])
        try await pair.run()
        #expect(faults.unused.isEmpty)
        try await pair.put("a", [4])
        #expect(try await pair.run().recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `a replacement that was killed and whose source is gone can be deleted`() async throws {
        let pair = try EngineFixture()
        try await pair.put("keep", [1])
        try await pair.put("a", Array("one".utf8))
        try await pair.run()
        try await pair.put("a", Array("two".utf8))
        pair.ledgerSide = { FaultLedger($0) { if case .record(let row) = $0 { row.evidence == .none } else { true } } }
        try await pair.run()
        pair.ledgerSide = { $0 }
        _ = await pair.source.delete([DeleteRequest(key: "a", version: nil)])
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
        #expect(try await pair.isIdentical())
    }

    @Test func `somebody's change after a killed replacement is a conflict all the same`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("one".utf8))
        try await pair.run()
        try await pair.put("a", Array("two".utf8))
        pair.ledgerSide = { FaultLedger($0) { if case .record(let row) = $0 { row.evidence == .none } else { true } } }
        try await pair.run()
        pair.ledgerSide = { $0 }
        try await pair.put("a", foreign, in: pair.target)
        #expect(try await pair.run().recorder.skips["a"] == .conflict)
        _ = await pair.source.delete([DeleteRequest(key: "a", version: nil)])
        try await pair.put("keep", [1])
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        #expect(try await pair.run().recorder.skips["a"] == .conflict)
        #expect(try await pair.contents(of: pair.target)["a"] == foreign)
    }

    /// I8: without a common lock (two machines), the conditions of the writes decide.
    @Test func `two replicators at once end as one after the other would`() async throws {
        let pair = try EngineFixture()
        for index in 0..<40 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(50 + index)) }
        try await pair.put("large", EngineFixture.pattern(3 << 20))
        let twin = try EngineFixture(source: pair.source, target: pair.target)
        try await pair.run()
        try await twin.run()
        for round in 0..<3 {
            for index in 0..<20 {
                try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(50 + index, seed: UInt8(round + 2)))
            }
            _ = await pair.source.delete([DeleteRequest(key: ObjectKey("k\(39 - round)"), version: nil)])
            for one in [pair, twin] { one.options.deletion = .on(limit: .standard, backupPrefix: nil) }
            let other = try twin.start()
            try await pair.run()
            _ = try await other.value
            #expect(try await pair.falseRows().isEmpty)
            #expect(try await twin.falseRows().isEmpty)
        }
        for one in [pair, twin] {
            let last = try await one.run()
            #expect(last.recorder.skips.isEmpty)
            #expect(last.recorder.failures.isEmpty)
        }
        #expect(try await pair.isIdentical())
    }

    @Test(arguments: [100, 3 << 20]) func `a foreign object that appeared in mid-run is a conflict in the next run too`(
        size: Int
    ) async throws {
        let pair = try EngineFixture()
        try await pair.put("k", EngineFixture.pattern(size))
        let target = pair.target
        let once = Counter()
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            guard [.put, .completeUpload].contains(operation), once.next() == 1 else { return nil }
            return .before { await EngineFixture.store([1, 2, 3], "k", target) }
        }
        for _ in 1...3 {
            #expect(try await pair.run().recorder.skips["k"] == .conflict)
            #expect(try await pair.contents(of: pair.target)["k"] == [1, 2, 3])
        }
        pair.options.onConflict = .replace
        #expect(try await pair.run().summary.counts.copiedObjects == 1)
        #expect(try await pair.isIdentical())
    }

    @Test func `another run's equal object is taken over, and the upload is not left behind`() async throws {
        let pair = try EngineFixture()
        let bytes = EngineFixture.pattern(3 << 20)
        try await pair.put("k", bytes)
        let target = pair.target
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            operation == .completeUpload ? .before { await EngineFixture.store(bytes, "k", target) } : nil
        }
        #expect(try await pair.run().summary.counts.copiedObjects == 1)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
    }
}
