import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// A run that is stopped anywhere leaves what the next one needs.
@Suite struct InterruptionTests {
    private func fixture() async throws -> EngineFixture {
        let pair = try EngineFixture()
        pair.options.concurrency = 2
        for index in 0..<6 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(100 + index)) }
        try await pair.put("large", EngineFixture.pattern(3 << 20 | 9))
        try await pair.put("old", [1], in: pair.target)
        try await pair.put("replaced", [1])
        try await pair.put("replaced", [0], in: pair.target)
        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        return pair
    }

    @Test func `cancelled at every call, the next run ends where an uninterrupted one does`() async throws {
        let total = Counter()
        let whole = try await fixture()
        whole.sourceSide = FaultStore(whole.source) { _, _ in
            _ = total.next()
            return nil
        }
        whole.targetSide = FaultStore(whole.target) { _, _ in
            _ = total.next()
            return nil
        }
        try await whole.run()
        #expect(total.current > 20)
        for stop in 1...total.current {
            let pair = try await fixture()
            let calls = Counter()
            let interruption = pair.interruption
            let rule: @Sendable (StoreOperation, ObjectKey?) -> Fault? = { _, _ in
                if calls.next() == stop { interruption.stop() }
                return nil
            }
            pair.sourceSide = FaultStore(pair.source, next: rule)
            pair.targetSide = FaultStore(pair.target, next: rule)
            let stopped = try await pair.run()
            // Runs may take a few calls less: what is done in parallel is not counted alike.
            if calls.current >= stop { #expect(stopped.summary.stop == .interrupted, "stopped at call \(stop)") }
            #expect(stopped.summary.failure == nil, "stopped at call \(stop)")
            #expect(stopped.recorder.failures.isEmpty, "stopped at call \(stop)")
            #expect(try await pair.falseRows().isEmpty, "stopped at call \(stop)")
            pair.sourceSide = pair.source
            pair.targetSide = pair.target
            let next = try await pair.run()
            #expect(next.summary.failure == nil, "stopped at call \(stop)")
            #expect(next.recorder.skips.isEmpty, "stopped at call \(stop)")
            #expect(try await pair.isIdentical(), "stopped at call \(stop)")
            #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty, "stopped at call \(stop)")
        }
    }

    @Test func `the rows of finished objects survive an interruption`() async throws {
        for stop in [3, 50, 120] {
            let pair = try EngineFixture()
            for index in 0..<200 { try await pair.put(ObjectKey("k\(index)"), [1]) }
            let puts = Counter()
            let interruption = pair.interruption
            pair.targetSide = FaultStore(pair.target) { operation, _ in
                if operation == .put, puts.next() == stop { interruption.stop() }
                return nil
            }
            let stopped = try await pair.run()
            #expect(stopped.summary.stop == .interrupted)
            let ledger = try pair.openLedger()
            #expect(try await ledger.count() == stopped.summary.counts.copiedObjects)
            try await ledger.close()
            #expect(stopped.summary.counts.copiedObjects >= 1)
        }
    }

    @Test func `an upload that was left open is aborted by the next run`() async throws {
        let pair = try EngineFixture()
        try await pair.put("large", EngineFixture.pattern(3 << 20))
        let interruption = pair.interruption
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            guard operation == .uploadPart else { return nil }
            interruption.stop()
            return .error(.cancelled)
        }
        try await pair.run()
        #expect(try await pair.target.openUploads(ListRequest()).uploads.count == 1)
        _ = await pair.source.delete([DeleteRequest(key: "large", version: nil)])
        pair.targetSide = pair.target
        try await pair.run()
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        let ledger = try pair.openLedger()
        #expect(try await ledger.openUploads().isEmpty)
        try await ledger.close()
    }

    @Test func `an upload that cannot be aborted stays known until it can`() async throws {
        let faults = FaultPlan()
        let pair = try EngineFixture()
        try await pair.put("large", EngineFixture.pattern(3 << 20))
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.uploadPart, "large", call: 1, times: 3, .error(.forbidden))
        faults.add(.abortUpload, "large", call: 1, times: 2, .error(.forbidden))
        let failed = try await pair.run()
        #expect(failed.recorder.failures.count == 1)
        #expect(failed.recorder.notices.contains { $0.contains("could not be aborted") })
        pair.targetSide = pair.target
        try await pair.run()
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `an upload that the ledger could not note down is aborted`() async throws {
        let pair = try EngineFixture()
        try await pair.put("large", EngineFixture.pattern(3 << 20))
        pair.ledgerSide = { FaultLedger($0, failsFrom: 1) }
        #expect(try await pair.run().summary.failure?.code == .ledger(.noSpace))
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func `a deadline ends a run that only lists`() async throws {
        let pair = try EngineFixture()
        for index in 0..<3000 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        try await pair.run()
        pair.options.maxDuration = .zero
        #expect(try await pair.run().summary.stop == .maxDuration)
        pair.options.maxDuration = .seconds(Int64.max)
        #expect(try await pair.run().summary.stop == nil)
    }
}
