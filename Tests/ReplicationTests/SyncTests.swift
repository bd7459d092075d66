import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

@Suite struct SyncTests {
    @Test func `a first run makes the target identical, a second one only lists`() async throws {
        let pair = try EngineFixture()
        try await pair.put("empty", [])
        try await pair.put("folder/", [])
        try await pair.put(
            "small", Array("hello".utf8),
            attributes: ObjectAttributes(contentType: "text/plain", userMetadata: ["owner": "ml"]))
        try await pair.put("large", EngineFixture.pattern(5 << 20 | 12345))
        for index in 0..<1500 { try await pair.put(ObjectKey("many/\(index)"), Array("\(index)".utf8)) }

        let first = try await pair.run()
        #expect(first.summary.failure == nil)
        #expect(first.recorder.failures.isEmpty)
        #expect(first.summary.counts.copiedObjects == 1504)
        #expect(try await pair.contents(of: pair.source) == pair.contents(of: pair.target))
        let copied = try await pair.target.head("small")
        #expect(copied.attributes.contentType == "text/plain")
        #expect(copied.attributes.userMetadata["owner"] == "ml")

        let second = try await pair.run()
        #expect(second.summary.counts.copiedObjects == 0)
        #expect(second.summary.counts.unchangedObjects == 1504)
        #expect(Set(second.source.requests.keys) == [.list])
        #expect(Set(second.target.requests.keys) == [.list])
    }

    @Test func `changed, new and vanished objects are the only ones that a run touches`() async throws {
        let pair = try EngineFixture()
        for name in ["a", "b", "c", "d"] { try await pair.put(ObjectKey(name), Array(name.utf8)) }
        try await pair.run()
        try await pair.put("b", Array("changed".utf8))
        try await pair.put("e", Array("new".utf8))
        _ = await pair.source.delete([DeleteRequest(key: "c", version: nil)])

        let run = try await pair.run()
        #expect(run.summary.counts.copiedObjects == 2)
        #expect(run.summary.counts.extraneousObjects == 1)
        #expect(run.source.requests[.read] == 2)

        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        let deleting = try await pair.run()
        #expect(deleting.summary.counts.deletedObjects == 1)
        #expect(try await pair.contents(of: pair.source) == pair.contents(of: pair.target))
        let kept = try await pair.target.head(ReservedKeys.deletedPrefix + "c")
        #expect(kept.object.size == 1)
        #expect(try await pair.run().summary.counts.deleteCandidates == 0)
    }

    @Test func `a lost ledger costs comparisons, not copies`() async throws {
        let pair = try EngineFixture()
        for index in 0..<20 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(1000 + index)) }
        try await pair.run()
        pair.loseLedger()
        let run = try await pair.run()
        #expect(run.summary.counts.adoptedObjects == 20)
        #expect(run.target.requests[.put] == nil)
        #expect(Set(try await pair.run().target.requests.keys) == [.list])
    }

    @Test func `somebody else's change at the target is kept, or replaced when asked`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("one".utf8))
        try await pair.run()
        try await pair.put("a", Array("foreign".utf8), in: pair.target)
        try await pair.put("a", Array("two".utf8))

        let kept = try await pair.run()
        #expect(kept.recorder.skips["a"] == .conflict)
        #expect(kept.summary.counts.conflicts == 1)
        #expect(try await pair.contents(of: pair.target)["a"] == Array("foreign".utf8))

        pair.options.onConflict = .replace
        let replaced = try await pair.run()
        #expect(replaced.summary.counts.copiedObjects == 1)
        #expect(try await pair.contents(of: pair.target)["a"] == Array("two".utf8))
    }

    @Test func `a dry run writes nothing anywhere`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("one".utf8))
        try await pair.put("x", Array("old".utf8), in: pair.target)
        pair.options.dryRun = true
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        let run = try await pair.run()
        #expect(Set(run.target.requests.keys) == [.list])
        #expect(run.summary.counts.plannedObjects == 1)
        #expect(run.summary.counts.deleteCandidates == 1)
        #expect(run.recorder.events.contains { if case .wouldDelete("x", 3) = $0 { true } else { false } })
        let ledger = try pair.openLedger()
        #expect(try await ledger.count() == 0)
    }

    @Test func `an empty source never empties the target`() async throws {
        let pair = try EngineFixture()
        try await pair.put("x", Array("precious".utf8), in: pair.target)
        pair.options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .refused)
        #expect(try await pair.contents(of: pair.target).count == 1)
    }

    @Test(arguments: [5, 30]) func `more deletions than the limit are refused`(count: Int) async throws {
        let pair = try EngineFixture()
        for index in 0..<50 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        try await pair.run()
        _ = await pair.source.delete((0..<count).map { DeleteRequest(key: ObjectKey("k\($0)"), version: nil) })
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        let run = try await pair.run()
        #expect((run.summary.failure?.code == .refused) == (count == 30))
        #expect(try await pair.contents(of: pair.target).count == (count == 30 ? 50 : 50 - count))
    }

    @Test func `filters decide by the first match and hide keys on both sides`() async throws {
        let pair = try EngineFixture()
        for name in ["a.bin", "b.txt", "c/d.bin", "c/keep.txt"] { try await pair.put(ObjectKey(name), [1]) }
        try await pair.put("only-here.txt", [2], in: pair.target)
        pair.options.filter = ObjectFilter([
            .init(includes: true, pattern: try GlobPattern("c/keep.*")),
            .init(includes: false, pattern: try GlobPattern("*.txt")),
            .init(includes: true, pattern: try GlobPattern("**")),
        ])
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        let run = try await pair.run()
        #expect(run.summary.failure == nil)
        #expect(
            Set(try await pair.contents(of: pair.target).keys) == ["a.bin", "c/d.bin", "c/keep.txt", "only-here.txt"])
    }

    @Test func `listed keys are looked up one by one`() async throws {
        let pair = try EngineFixture()
        for index in 0..<600 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        pair.options.keys = (0..<300).map { ObjectKey("k\($0 * 2)") }
        let run = try await pair.run()
        #expect(run.summary.counts.copiedObjects == 300)
        #expect(run.source.requests[.list] == nil)
        #expect(try await pair.run().summary.counts.unchangedObjects == 300)
    }

    @Test func `limits stop a run between objects and the next one goes on`() async throws {
        let pair = try EngineFixture()
        for index in 0..<10 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(1000)) }
        pair.options.maxTransfer = 3500
        pair.options.concurrency = 1
        let first = try await pair.run()
        #expect(first.summary.stop == .maxTransfer)
        #expect(first.summary.counts.copiedBytes <= 3500)
        pair.options.maxTransfer = nil
        #expect(try await pair.run().summary.stop == nil)
        #expect(try await pair.contents(of: pair.source) == pair.contents(of: pair.target))
    }

    @Test func `a checksum run finds a target whose bytes changed under the same version`() async throws {
        let pair = try EngineFixture()
        try await pair.put("a", Array("same".utf8))
        try await pair.run()
        pair.options.comparison = .checksum
        let run = try await pair.run()
        #expect(run.source.requests[.head] == 1)
        #expect(run.target.requests[.head] == 1)
        #expect(run.summary.counts.adoptedObjects == 1)
    }
}
