import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// I6: nothing is deleted without proof, beyond the limit, or for good when a backup was asked for.
@Suite struct DeleteSafetyTests {
    private let faults = FaultPlan()

    private func fixture() async throws -> EngineFixture {
        let pair = try EngineFixture()
        for name in ["a", "b", "c"] { try await pair.put(ObjectKey(name), Array(name.utf8)) }
        try await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "b", version: nil)])
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        return pair
    }

    @Test func `an object that the source still has is not deleted, whatever its listing says`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.list, .page { ListPage(objects: $0.objects.filter { $0.key != "a" }, next: nil) })
        let run = try await pair.run()
        #expect(run.summary.counts.deletedObjects == 1)
        #expect(run.recorder.skips["a"] == .deletionHeldBack)
        #expect(Set(try await pair.contents(of: pair.target).keys) == ["a", "c"])
        #expect(faults.unused.isEmpty)
    }

    @Test func `what cannot be looked at in the source is not deleted`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.head, "b", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["b": .store(.forbidden)])
        #expect(try await pair.contents(of: pair.target).count == 3)
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a key that the source cannot hold is gone from it`() async throws {
        struct Rules: ObjectRules {
            func problem(with key: ObjectKey) -> String? { key == "b" ? "no such names here" : nil }
            func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
        }
        let pair = try await fixture()
        pair.sourceSide = VariantStore(
            FaultStore(pair.source) { operation, _ in operation == .head ? .error(.invalidKey) : nil }, rules: Rules())
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
    }

    @Test func `a run with failures deletes nothing`() async throws {
        let pair = try await fixture()
        try await pair.put("new", [1])
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "new", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.target.requests[.delete] == nil)
        #expect(run.recorder.notices.contains { $0.contains("held back") })
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
    }

    @Test func `a run that stops early deletes nothing`() async throws {
        let pair = try await fixture()
        try await pair.put("new", [1])
        pair.options.maxTransfer = 0
        let run = try await pair.run()
        #expect(run.summary.stop == .maxTransfer)
        #expect(run.target.requests[.delete] == nil)
    }

    @Test func `the candidates of an earlier run are not those of this one`() async throws {
        let pair = try await fixture()
        let ledger = try pair.openLedger()
        try await ledger.addDeleteCandidates([
            DeleteCandidate(key: "a", targetVersion: try await pair.target.head("a").object.version, size: 1)
        ])
        try await ledger.close()
        let run = try await pair.run()
        #expect(run.summary.counts.deletedObjects == 1)
        #expect(Set(try await pair.contents(of: pair.target).keys) == ["a", "c"])
    }

    @Test func `an object changed by somebody before its deletion is kept`() async throws {
        let pair = try await fixture()
        let target = pair.target
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.delete, "b", .before { await EngineFixture.store([7], "b", target) })
        let run = try await pair.run()
        #expect(run.recorder.skips["b"] == .conflict)
        #expect(run.summary.counts.conflicts == 1)
        #expect(run.summary.counts.skippedObjects == 1)
        #expect(try await pair.contents(of: target)["b"] == [7])
        // Known to the ledger and changed since: still somebody else's in every later run.
        #expect(try await pair.run().recorder.skips["b"] == .conflict)
        #expect(faults.unused.isEmpty)
    }

    @Test func `an object that cannot be backed up is not deleted`() async throws {
        let pair = try await fixture()
        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.copy, "b", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["b": .store(.forbidden)])
        #expect(try await pair.contents(of: pair.target).count == 3)
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
        #expect(try await pair.target.head(ReservedKeys.deletedPrefix + "b").object.size == 1)
        #expect(faults.unused.isEmpty)
    }

    @Test func `an object too large for one copy is backed up by ranges`() async throws {
        let pair = try EngineFixture()
        let bytes = EngineFixture.pattern(2 << 20 | 3)
        try await pair.put("a", [1])
        try await pair.put("big", bytes, in: pair.target, attributes: ObjectAttributes(contentType: "text/x"))
        var capabilities = MemoryStore.standardCapabilities
        capabilities.maxCopySize = 1 << 20
        capabilities.partSize = 1...(1 << 20)
        pair.targetSide = FaultStore(VariantStore(pair.target, capabilities: capabilities), faults)
        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        faults.add(.copyPart, call: 2, .error(.forbidden))
        #expect(try await pair.run().summary.counts.deletedObjects == 0)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
        let kept = try await pair.target.head(ReservedKeys.deletedPrefix + "big")
        #expect(kept.object.checksums.crc32c == bytes.withUnsafeBytes { EngineFixture.crc32c($0) })
        #expect(kept.attributes.contentType == "text/x")
        #expect(faults.unused.isEmpty)
    }

    @Test func `deletions that fail are named, and those of many pages all happen`() async throws {
        let pair = try EngineFixture()
        for index in 0..<2000 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        try await pair.run()
        for index in 0..<600 {
            _ = await pair.source.delete([DeleteRequest(key: ObjectKey("k\(index)"), version: nil)])
        }
        pair.options.deletion = .on(limit: .init(count: 600, percent: 50), backupPrefix: ReservedKeys.deletedPrefix)
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.delete, "k77", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.summary.counts.deletedObjects == 599)
        #expect(Set(run.recorder.failures.keys) == ["k77"])
        #expect(try await pair.run().summary.counts.deletedObjects == 1)
        #expect(try await pair.isIdentical())
    }

    @Test func `a dry run shows what it would delete even beyond the limit, and changes nothing`() async throws {
        let pair = try await fixture()
        try await pair.put("z", [1], in: pair.target)
        pair.options.deletion = .on(limit: .init(count: 1, percent: 100), backupPrefix: ReservedKeys.deletedPrefix)
        pair.options.dryRun = true
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .refused)
        let shown = run.recorder.events.compactMap { if case .wouldDelete(let key, _) = $0 { key } else { nil } }
        #expect(shown == ["b", "z"])
        #expect(Set(run.target.requests.keys) == [.list])
        let ledger = try pair.openLedger()
        #expect(try await ledger.deleteCandidates(after: nil, limit: 10).isEmpty)
        #expect(try await ledger.count() == 3)
        try await ledger.close()
    }

    @Test func `keys that a filter hides keep their rows and are never candidates`() async throws {
        let pair = try await fixture()
        pair.options.filter = ObjectFilter([.init(includes: false, pattern: try GlobPattern("b"))])
        let run = try await pair.run()
        #expect(run.summary.counts.deleteCandidates == 0)
        let ledger = try pair.openLedger()
        #expect(try await ledger.row(for: "b") != nil)
        try await ledger.close()
    }

    @Test func `deletions of listed keys are proven key by key`() async throws {
        let pair = try await fixture()
        pair.options.keys = ["a", "b"]
        let run = try await pair.run()
        #expect(run.summary.counts.deletedObjects == 1)
        #expect(Set(try await pair.contents(of: pair.target).keys) == ["a", "c"])
    }
}
