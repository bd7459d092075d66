import ObjectStores
import Replication
import ReplicationModel
import Testing

/// A write whose reply is lost is settled by reading back, never by assuming.
@Suite struct UnknownOutcomeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var size: Int
        var replaces: Bool
        var happened: Bool
        var silent: Bool

        var testDescription: String {
            "\(size) bytes, \(replaces ? "replaced" : "new"), \(happened ? "written" : "not written")\(silent ? ", no checksums" : "")"
        }

        static let all = [100, 0, 2 << 20].flatMap { size in
            [false, true].flatMap { replaces in
                [false, true].flatMap { happened in
                    [false, true].map { Case(size: size, replaces: replaces, happened: happened, silent: $0) }
                }
            }
        }
    }

    private let faults = FaultPlan()

    private func fixture(_ test: Case) async throws -> EngineFixture {
        let pair = try EngineFixture()
        if test.silent { pair.targetSide = VariantStore(pair.target, isSilent: true) }
        if test.replaces {
            try await pair.put("a", EngineFixture.pattern(50))
            try await pair.run()
        }
        try await pair.put("a", EngineFixture.pattern(test.size, seed: 2))
        pair.targetSide = FaultStore(pair.targetSide, faults)
        return pair
    }

    private func write(_ test: Case) -> StoreOperation { test.size > 1 << 20 ? .completeUpload : .put }

    @Test(arguments: Case.all) func settled(_ test: Case) async throws {
        let pair = try await fixture(test)
        faults.add(write(test), "a", test.happened ? .lostReply : .lostRequest)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.recorder.skips.isEmpty)
        #expect(run.summary.counts.copiedObjects == 1)
        #expect(run.target.requests[write(test)] == (test.happened ? 1 : 2))
        #expect(try await pair.isIdentical())
        #expect(Set(try await pair.run().target.requests.keys) == [.list])
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: Case.all) func `what cannot be settled now is settled by the next run`(_ test: Case) async throws {
        let pair = try await fixture(test)
        faults.add(write(test), "a", test.happened ? .lostReply : .lostRequest)
        // The network is gone: reading back fails too, three attempts long.
        faults.add(.head, "a", times: 3, .transient)
        let run = try await pair.run()
        #expect(run.summary.counts.failedObjects == 1)
        #expect(try await pair.falseRows().isEmpty)
        try await pair.put("a", EngineFixture.pattern(60, seed: 3))
        let next = try await pair.run()
        #expect(next.recorder.failures.isEmpty)
        #expect(next.recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test func `somebody else's object after a lost reply is a conflict`() async throws {
        let pair = try EngineFixture()
        let target = pair.target
        try await pair.put("a", EngineFixture.pattern(100))
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.put, "a", .lostRequest)
        faults.add(.head, "a", .before { await EngineFixture.store([7], "a", target) })
        let run = try await pair.run()
        #expect(run.recorder.skips["a"] == .conflict)
        #expect(try await pair.contents(of: target)["a"] == [7])
        #expect(faults.unused.isEmpty)
    }

    @Test func `replies that are always lost end in a failure, not in a loop`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", EngineFixture.pattern(100))
        pair.targetSide = FaultStore(pair.target) { operation, _ in operation == .put ? .lostRequest : nil }
        let run = try await pair.run()
        #expect(run.recorder.failures.count == 1)
        #expect(run.target.requests[.put]! <= 4)
    }

    @Test func `lost replies of parts, deletes and aborts are tried again`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", EngineFixture.pattern(3 << 20))
        try await pair.put("x", [1], in: pair.target)
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.uploadPart, "a", call: 2, .lostReply)
        faults.add(.delete, "x", .lostReply)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.summary.counts.deletedObjects == 1)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: [Fault.flippedBit])
    func `wrong bytes at the target are found at once and replaced by the next run`(fault: Fault) async throws {
        for replaces in [false, true] {
            for silent in [false, true] {
                let faults = FaultPlan()
                let pair = try EngineFixture()
                if silent { pair.targetSide = VariantStore(pair.target, isSilent: true) }
                if replaces {
                    try await pair.put("a", Array("old".utf8))
                    try await pair.run()
                }
                try await pair.put("a", Array("new bytes".utf8))
                pair.targetSide = VariantStore(FaultStore(pair.target, faults), isSilent: silent)
                faults.add(.put, "a", fault)
                let run = try await pair.run()
                #expect(run.recorder.failures.mapValues(\.code) == ["a": .corrupted])
                #expect(try await pair.falseRows().isEmpty)
                let next = try await pair.run()
                #expect(next.recorder.skips.isEmpty)
                #expect(try await pair.isIdentical())
                #expect(faults.unused.isEmpty)
            }
        }
    }

    @Test func `a part that is stored wrong never becomes an object`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", EngineFixture.pattern(3 << 20))
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.uploadPart, "a", call: 2, .flippedBit)
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["a": .store(.checksumMismatch)])
        #expect(try await pair.contents(of: pair.target).isEmpty)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        try await pair.run()
        #expect(try await pair.isIdentical())
    }

    @Test func `a write that could not be read back is not believed later`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("right".utf8))
        pair.targetSide = VariantStore(FaultStore(pair.target, faults), isSilent: true)
        faults.add(.put, "a", .flippedBit)
        faults.add(.read, "a", times: 3, .transient)
        #expect(try await pair.run().summary.counts.failedObjects == 1)
        try await pair.run()
        #expect(try await pair.isIdentical())
        #expect(try await pair.falseRows().isEmpty)
        #expect(faults.unused.isEmpty)
    }
}
