import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Synchronization
import Testing

/// Rule 7: a pointer is written after its set, in the order of the patterns, and only if the set is whole.
@Suite struct PointerOrderTests {
    /// Keys in the order in which they appeared at the target.
    private final class Order: Sendable {
        private let keys = Mutex<[ObjectKey]>([])
        var all: [ObjectKey] { keys.withLock { $0 } }
        func add(_ key: ObjectKey) { keys.withLock { $0.append(key) } }
        func place(_ key: ObjectKey) -> Int { all.lastIndex(of: key) ?? -1 }
    }

    private let faults = FaultPlan()
    private let order = Order()

    private func fixture(_ extent: ArtifactSets.Extent = .folder) throws -> EngineFixture {
        let pair = try EngineFixture()
        pair.options.sets = try PublishedSet.sets(extent)
        let order = order
        let faults = faults
        pair.targetSide = FaultStore(pair.target) { operation, key in
            if let fault = faults.next(operation, key) { return fault }
            guard operation == .put || operation == .completeUpload, let key else { return nil }
            return .after { order.add(key) }
        }
        return pair
    }

    private func publish(_ set: String, _ version: Int, _ pair: EngineFixture, count: Int = 3) async throws {
        for (key, bytes) in PublishedSet.version(set, version, count: count) { try await pair.put(key, bytes) }
    }

    private func expectOrder(
        _ set: String, _ version: Int, count: Int = 3, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let index = order.place(PublishedSet.index(set, version))
        for (shard, _) in PublishedSet.shards(set, version, count: count) {
            #expect((0..<index).contains(order.place(shard)), "\(shard)", sourceLocation: sourceLocation)
        }
        #expect(order.place(PublishedSet.latest(set)) > index, sourceLocation: sourceLocation)
    }

    @Test func `shards, then the index, then what names the index; then nothing but listings`() async throws {
        let pair = try fixture()
        for set in ["a", "b"] { try await publish(set, 1, pair) }
        // Sorts before everything that it waits for.
        try await pair.put("a/a/latest", [])
        try await pair.put("a/a/z", [1])
        let first = try await pair.run()
        #expect(first.summary.counts.copiedObjects == 12)
        #expect(try await pair.isIdentical())
        for set in ["a", "b"] { expectOrder(set, 1) }
        #expect(order.place("a/a/z") < order.place("a/a/latest"))
        let second = try await pair.run()
        #expect(second.summary.counts.unchangedObjects == 12)
        #expect(second.source.requests == [.list: 1])
        #expect(second.target.requests == [.list: 1])
    }

    @Test func `a set that changed is listed once more, the others are not`() async throws {
        let pair = try fixture()
        for set in ["a", "b", "c"] { try await publish(set, 1, pair) }
        try await pair.run()
        try await publish("b", 2, pair)
        let run = try await pair.run()
        // Everything, b/v2/ for its index, and b/ for latest.
        #expect(run.source.requests[.list] == 3)
        #expect(run.target.requests[.list] == 3)
        expectOrder("b", 2)
    }

    @Test(arguments: [0, 1, 2, 9]) func `a set at any depth`(depth: Int) async throws {
        let pair = try fixture(.depth(depth))
        for set in ["x/a", "x/b", "y/a"] { try await publish(set, 1, pair) }
        try await pair.put("latest", [])
        try await pair.run()
        #expect(try await pair.isIdentical())
        for set in ["x/a", "x/b", "y/a"] { expectOrder(set, 1) }
        // Nothing lies outside of what a pointer at the top announces.
        #expect(order.place("latest") == order.all.count - 1)
        // Depth 0 makes one set of everything, depth 1 of x/.
        if depth == 0 { #expect(order.place("x/a/v1/x.index.json") > order.place("y/a/v1/shard-2")) }
        if depth == 1 { #expect(order.place("x/a/v1/x.index.json") > order.place("x/b/v1/shard-2")) }
    }

    @Test func `a set by pattern`() async throws {
        let pair = try fixture(.matching([try ArtifactSets.folderPattern("models/*/v*/")]))
        try await pair.put("models/a/v1/p/latest", [])
        try await pair.put("models/a/v1/q/shard", [1])
        try await pair.put("models/a/latest", [])
        try await pair.put("models/a/z", [1])
        try await pair.run()
        #expect(order.place("models/a/v1/q/shard") < order.place("models/a/v1/p/latest"))
        #expect(order.place("models/a/z") < order.place("models/a/latest"))
        #expect(order.place("models/a/v1/p/latest") < order.place("models/a/latest"))
    }

    @Test func `the order of the patterns is the order of writing`() async throws {
        let pair = try fixture()
        pair.options.sets = ArtifactSets(pointers: try ["**/c", "**/a", "**/b"].map { try GlobPattern($0) })
        for name in ["a", "b", "c", "d"] { try await pair.put(ObjectKey("s/\(name)"), Array(name.utf8)) }
        try await pair.run()
        #expect(order.all == ["s/d", "s/c", "s/a", "s/b"])
    }

    @Test func `a pointer of many parts, and sets over many pages`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair, count: 2500)
        try await pair.put("a/b/latest", EngineFixture.pattern(3 << 20 | 5))
        try await pair.put("a/b/x", EngineFixture.pattern(2 << 20))
        try await pair.run()
        #expect(try await pair.isIdentical())
        expectOrder("a", 1, count: 2500)
        #expect(order.place("a/b/x") < order.place("a/b/latest"))
    }

    @Test func `an object that fails holds its set's pointers back, and nobody else's`() async throws {
        let pair = try fixture()
        for set in ["a", "b"] { try await publish(set, 1, pair) }
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a/v1/shard-1", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.summary.counts.failedObjects == 1)
        #expect(run.summary.counts.heldPointers == 2)
        #expect(run.summary.counts.skippedObjects == 2)
        #expect(Set(run.recorder.skips.keys) == [PublishedSet.index("a", 1), PublishedSet.latest("a")])
        guard case .setIncomplete(let why) = run.recorder.skips[PublishedSet.index("a", 1)] else {
            return #expect(Bool(false), "\(run.recorder.skips)")
        }
        #expect(why.contains("a/v1/shard-1 failed"))
        expectOrder("b", 1)
        let next = try await pair.run()
        #expect(next.recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
        expectOrder("a", 1)
        #expect(faults.unused.isEmpty)
    }

    @Test func `an object that fails in run after run never lets a pointer pass`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        try await pair.run()
        try await publish("a", 2, pair)
        let broken = Mutex(true)
        pair.sourceSide = FaultStore(pair.source) { operation, key in
            operation == .read && key == "a/v2/shard-0" && broken.withLock { $0 } ? .error(.forbidden) : nil
        }
        for _ in 0..<3 {
            let run = try await pair.run()
            #expect(run.summary.counts.heldPointers == 2)
            #expect(try await pair.contents(of: pair.target)["a/v2/x.index.json"] == nil)
        }
        broken.withLock { $0 = false }
        #expect(try await pair.run().recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `a conflict inside a set holds it back`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        try await pair.run()
        try await pair.put("a/v1/shard-0", [1], in: pair.target)
        try await publish("a", 2, pair)
        let run = try await pair.run()
        #expect(run.recorder.skips["a/v1/shard-0"] == .conflict)
        // v2 is whole by itself; what lies around both is not.
        #expect(run.summary.counts.heldPointers == 1)
        #expect(try await pair.contents(of: pair.target)[PublishedSet.index("a", 2)] != nil)
    }

    @Test func `a key that the target cannot hold, and one in the archive, hold their sets back`() async throws {
        struct Rules: ObjectRules {
            func problem(with key: ObjectKey) -> String? { key == "a/bad" ? "no such names here" : nil }
            func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
        }
        let pair = try fixture()
        for key: ObjectKey in ["a/bad", "a/latest", "b/cold", "b/latest", "c/latest"] { try await pair.put(key, [1]) }
        pair.targetSide = VariantStore(pair.targetSide, rules: Rules())
        pair.sourceSide = FaultStore(pair.source) { operation, _ in
            operation != .list
                ? nil
                : .page { page in
                    var page = page
                    for index in page.objects.indices where page.objects[index].key == "b/cold" {
                        page.objects[index].archiveTier = "GLACIER"
                    }
                    return page
                }
        }
        let run = try await pair.run()
        #expect(run.summary.counts.heldPointers == 2)
        #expect(order.all == ["c/latest"])
    }

    @Test func `a name that is no object holds its set back`() async throws {
        let pair = try fixture()
        for key: ObjectKey in ["a/latest", "a/x", "c/latest"] { try await pair.put(key, [1]) }
        let prefix: ObjectKey = "a/"
        pair.sourceSide = FaultStore(pair.source) { operation, _ in
            guard operation == .list else { return nil }
            return .page { page in
                guard page.objects.contains(where: { $0.key.hasPrefix(prefix) }) else { return page }
                return ListPage(objects: page.objects, next: page.next, unlistable: [("a/link", "a symbolic link")])
            }
        }
        let run = try await pair.run()
        #expect(run.recorder.skips["a/link"] != nil)
        #expect(run.summary.counts.heldPointers == 1)
        #expect(Set(order.all) == ["a/x", "c/latest"])
    }

    @Test func `a set within holds back the sets around it`() async throws {
        let pair = try fixture()
        for key: ObjectKey in ["a/b/latest", "a/b/x", "a/c/latest", "a/latest", "latest", "z/latest"] {
            try await pair.put(key, [1])
        }
        faults.add(.put, "a/b/latest", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.recorder.failures.keys.sorted() == ["a/b/latest"])
        #expect(Set(run.recorder.skips.keys) == ["a/latest", "latest"])
        #expect(Set(order.all) == ["a/b/x", "a/c/latest", "z/latest"])
        #expect(try await pair.run().summary.counts.copiedObjects == 3)
        #expect(order.all.suffix(3) == ["a/b/latest", "a/latest", "latest"])
        #expect(faults.unused.isEmpty)
    }

    @Test func `a pointer that fails holds back those that come after it`() async throws {
        let pair = try fixture(.depth(1))
        try await publish("a", 1, pair)
        faults.add(.put, PublishedSet.index("a", 1), .error(.forbidden))
        let run = try await pair.run()
        #expect(Set(run.recorder.skips.keys) == [PublishedSet.latest("a")])
        #expect(try await pair.run().recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
        expectOrder("a", 1)
    }

    @Test func `pointers that are as they should be are not held back`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        try await pair.run()
        try await pair.put("a/notes", [1])
        faults.add(.put, "a/notes", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.recorder.skips.isEmpty)
        #expect(run.summary.counts.failedObjects == 1)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a pointer that was switched at the target by others is a conflict`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        try await pair.run()
        try await publish("a", 2, pair)
        try await pair.put("a/latest", [7], in: pair.target)
        let run = try await pair.run()
        #expect(run.recorder.skips == ["a/latest": .conflict])
        #expect(try await pair.contents(of: pair.target)["a/latest"] == [7])
        pair.options.onConflict = .replace
        #expect(try await pair.run().recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `a lost reply to the switch is settled by looking`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        faults.add(.put, "a/latest", .lostReply)
        faults.add(.put, PublishedSet.index("a", 1), .lostRequest)
        #expect(try await pair.run().summary.counts.copiedObjects == 5)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: [ReplicationOptions.Comparison.versions, .checksum, .sizeOnly])
    func `without a ledger, whatever the comparison`(comparison: ReplicationOptions.Comparison) async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        pair.options.comparison = comparison
        try await pair.run()
        #expect(try await pair.isIdentical())
        expectOrder("a", 1)
        pair.loseLedger()
        let again = try await pair.run()
        #expect(again.summary.counts.copiedObjects == 0)
        #expect(again.recorder.skips.isEmpty)
    }

    @Test func `a dry run names pointers like all others, and looks once`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        pair.options.dryRun = true
        let run = try await pair.run()
        #expect(run.summary.counts.plannedObjects == 5)
        #expect(run.source.requests == [.list: 1])
        #expect(run.recorder.skips.isEmpty)
    }

    @Test func `a run that reaches its limit leaves the pointers for the next`() async throws {
        let bytes = PublishedSet.version("a", 1).map { Int64($0.1.count) }
        for limit in bytes.indices.map({ bytes[...$0].reduce(0, +) - 1 }) {
            let other = try fixture()
            try await publish("a", 1, other)
            other.options.maxTransfer = limit
            let run = try await other.run()
            #expect(run.summary.stop == .maxTransfer)
            #expect(run.recorder.skips.isEmpty)
            #expect(run.summary.counts.copiedBytes <= limit)
            other.options.maxTransfer = nil
            try await other.run()
            #expect(try await other.isIdentical())
            expectOrder("a", 1)
        }
    }

    @Test func `filters decide what belongs to a set`() async throws {
        let pair = try fixture()
        try await publish("a", 1, pair)
        pair.options.filter = ObjectFilter([
            .init(includes: false, pattern: try GlobPattern("**/shard-0")),
            .init(includes: false, pattern: try GlobPattern("**/latest")),
        ])
        let run = try await pair.run()
        #expect(run.recorder.skips.isEmpty)
        #expect(order.all.count == 3)
        #expect(order.all.last == PublishedSet.index("a", 1))
    }

    @Test func `more pointers than memory is meant for are refused`() async throws {
        let pair = try fixture()
        pair.options.sets = ArtifactSets(pointers: [try GlobPattern("**")], extent: .depth(0))
        for number in 0...100_000 { try await pair.put(ObjectKey("p\(number)"), []) }
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .refused)
        #expect(order.all.isEmpty)
    }
}
