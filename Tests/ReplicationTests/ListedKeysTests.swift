import ObjectStores
import Replication
import ReplicationModel
import Testing

/// Keys that somebody asked for by name.
@Suite struct ListedKeysTests {
    @Test func `a listed key that the source lacks is named, one that a filter leaves out is not`() async throws {
        let pair = try EngineFixture()
        try await pair.put("here", Array("h".utf8))
        try await pair.put("gone", Array("left as it is".utf8), in: pair.target)
        pair.options.keys = ["here", "gone", "never", "filtered"]
        pair.options.filter = ObjectFilter([.init(includes: false, pattern: try GlobPattern("filtered"))])
        let run = try await pair.run()
        #expect(run.recorder.skips == ["gone": .missing, "never": .missing])
        #expect(run.summary.counts.skippedObjects == 2)
        #expect(run.summary.failure == nil)
        let there = try await pair.contents(of: pair.target)
        #expect(there == ["here": Array("h".utf8), "gone": Array("left as it is".utf8)])
    }

    @Test func `a listed key that a store cannot hold is not asked for`() async throws {
        struct Picky: ObjectRules {
            func problem(with key: ObjectKey) -> String? { key == "bad" ? "no bad names" : nil }
            func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
        }
        let pair = try EngineFixture()
        try await pair.put("here", [1])
        pair.sourceSide = VariantStore(pair.source, rules: Picky())
        pair.options.keys = ["bad", "here"]
        let run = try await pair.run()
        #expect(run.recorder.skips == ["bad": .missing])
        #expect(run.summary.counts.copiedObjects == 1)
    }

    @Test(.timeLimit(.minutes(10)))
    func `uploads that take parts in order never wait for each other's buffers`() async throws {
        let pair = try EngineFixture()
        for index in 0..<6 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(5 << 20)) }
        pair.targetSide = VariantStore(pair.target, isSequential: true)
        pair.poolLimit = 4 << 20
        let run = try await pair.run()
        #expect(run.summary.counts.copiedObjects == 6)
        #expect(try await pair.isIdentical())
    }
}
