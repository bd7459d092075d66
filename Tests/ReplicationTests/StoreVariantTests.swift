import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// Servers that can do less.
@Suite(.timeLimit(.minutes(10))) struct StoreVariantTests {
    private let faults = FaultPlan()

    @Test func `a store without checksums is read back, and its objects are proven`() async throws {
        let pair = try EngineFixture()
        try await pair.put("small", EngineFixture.pattern(1000))
        try await pair.put("empty", [])
        try await pair.put("large", EngineFixture.pattern(3 << 20 | 1))
        pair.targetSide = VariantStore(pair.target, isSilent: true)
        let run = try await pair.run()
        #expect(run.target.requests[.read]! >= 5)
        let evidence = run.recorder.events.compactMap {
            if case .copied(_, _, _, let level) = $0 { level } else { nil }
        }
        #expect(evidence == [.reread, .reread, .reread])
        #expect(try await pair.isIdentical())
        #expect(Set(try await pair.run().target.requests.keys) == [.list])
    }

    @Test func `a store that ignores conditions is found out once, and looked at before and after each write`()
        async throws
    {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", [1])
        try await pair.put("large", EngineFixture.pattern(2 << 20))
        pair.targetSide = FaultStore(VariantStore(pair.target, isCareless: true), faults)
        let first = try await pair.run()
        #expect(first.recorder.notices.contains { $0.contains("ignores the conditions") })
        #expect(try await pair.isIdentical())

        try await pair.put("a", [2])
        try await pair.put("b", [3])
        faults.add(.head, "b", .before { await EngineFixture.store([7], "b", target) })
        let second = try await pair.run()
        #expect(second.recorder.skips == ["b": .conflict])
        #expect(second.target.requests[.put] == 1)
        #expect(try await pair.contents(of: target)["b"] == [7])
        #expect(faults.unused.isEmpty)
    }

    @Test func `another writer that slips in after the write is noticed`() async throws {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", [1])
        pair.targetSide = FaultStore(VariantStore(pair.target, isCareless: true), faults)
        faults.add(.put, "a", .after { await EngineFixture.store([7], "a", target) })
        let run = try await pair.run()
        #expect(run.recorder.skips == ["a": .conflict])
        #expect(try await pair.contents(of: target)["a"] == [7])
        #expect(try await pair.falseRows().isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a look after the write that fails does not hide that the write happened`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", [1])
        pair.targetSide = FaultStore(VariantStore(pair.target, isCareless: true), faults)
        // Before the write one look, after it three that fail.
        faults.add(.head, "a", call: 2, times: 3, .transient)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.recorder.skips.isEmpty)
        #expect(run.target.requests[.put] == 3)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test func `a store that ignores conditions keeps what somebody changed before a deletion`() async throws {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", [1])
        try await pair.put("b", [1])
        pair.targetSide = FaultStore(VariantStore(pair.target, isCareless: true), faults)
        try await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "b", version: nil)])
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        faults.add(.head, "b", .before { await EngineFixture.store([7], "b", target) })
        let run = try await pair.run()
        #expect(run.recorder.skips == ["b": .conflict])
        #expect(try await pair.contents(of: target)["b"] == [7])
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: [Fault.lostReply, .lostRequest])
    func `a probe whose reply is lost is asked again, and its answer is right`(fault: Fault) async throws {
        let pair = try EngineFixture()
        try await pair.put("a", [1])
        var capabilities = MemoryStore.standardCapabilities
        capabilities.conditionalWrites = .unproven
        pair.targetSide = FaultStore(VariantStore(pair.target, capabilities: capabilities), faults)
        faults.add(.put, fault)
        let run = try await pair.run()
        #expect(run.summary.failure == nil)
        #expect(!run.recorder.notices.contains { $0.contains("ignores the conditions") })
        #expect(try await pair.isIdentical())
        #expect(try await pair.target.list(ListRequest(prefix: ReservedKeys.probePrefix)).objects.isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: [1, 2, 5]) func `parts one after the other`(parts: Int) async throws {
        let pair = try EngineFixture()
        for index in 0..<6 {
            try await pair.put(
                ObjectKey("large\(index)"), EngineFixture.pattern(5 << 20 | index, seed: UInt8(index + 1)))
        }
        pair.targetSide = VariantStore(pair.target, isSequential: true)
        // Four objects at a time and room for fewer parts than they hold between them.
        pair.options.memory = parts << 20
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.peakBuffers <= parts << 20)
        #expect(try await pair.isIdentical())
    }

    @Test func `a session of ordered parts that fails is aborted, and the next run starts it again`() async throws {
        let pair = try EngineFixture()
        try await pair.put("large", EngineFixture.pattern(5 << 20))
        for (operation, side) in [(StoreOperation.read, 0), (.uploadPart, 1), (.completeUpload, 1)] {
            let faults = FaultPlan()
            pair.sourceSide = FaultStore(pair.source, side == 0 ? faults : FaultPlan())
            pair.targetSide = VariantStore(
                FaultStore(pair.target, side == 1 ? faults : FaultPlan()), isSequential: true)
            faults.add(operation, "large", call: operation == .completeUpload ? 1 : 3, .error(.forbidden))
            let run = try await pair.run()
            #expect(run.recorder.failures.mapValues(\.code) == ["large": .store(.forbidden)])
            #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
            #expect(faults.unused.isEmpty)
        }
        try await pair.run()
        #expect(try await pair.isIdentical())
    }

    @Test func `a session of ordered parts starts again when the source changes`() async throws {
        let pair = try EngineFixture()
        let source = pair.source
        try await pair.put("large", EngineFixture.pattern(5 << 20))
        let replacement = EngineFixture.pattern(4 << 20 | 1, seed: 3)
        pair.sourceSide = FaultStore(pair.source, faults)
        pair.targetSide = VariantStore(pair.target, isSequential: true)
        faults.add(.read, "large", call: 3, .before { await EngineFixture.store(replacement, "large", source) })
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func `a prefix is invisible to the engine`() async throws {
        let pair = try EngineFixture()
        try await pair.put("in/", [9])
        try await pair.put("in/a", [1])
        try await pair.put("in//b", [2])
        try await pair.put("inside", [3])
        pair.sourceSide = PrefixedStore(pair.source, prefix: "in/")
        pair.targetSide = PrefixedStore(pair.target, prefix: "deep/down/")
        try await pair.put("deep/other", [4], in: pair.target)
        try await pair.put("deep/down/extra", [5], in: pair.target)
        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(
            Set(try await pair.contents(of: pair.target).keys)
                == ["deep/down/a", "deep/down//b", "deep/other", "deep/down/.lockstep/deleted/extra"])
        #expect(Set(try await pair.run().target.requests.keys) == [.list])
    }
}
