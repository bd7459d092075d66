import ObjectStores
import Replication
import ReplicationModel
import Testing

/// Listings are not trusted.
@Suite struct ListingTests {
    private let faults = FaultPlan()

    private func run(_ change: @escaping @Sendable (ListPage) -> ListPage, times: Int = 1) async throws
        -> EngineFixture.Run
    {
        let pair = try EngineFixture()
        for name in ["a", "b", "c"] { try await pair.put(ObjectKey(name), [1]) }
        try await pair.put("x", [9], in: pair.target)
        pair.sourceSide = FaultStore(pair.source, faults)
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        faults.add(.list, times: times, .page(change))
        let run = try await pair.run()
        #expect(run.target.requests[.delete] == nil)
        #expect(try await pair.contents(of: pair.target)["x"] == [9])
        #expect(faults.unused.isEmpty)
        return run
    }

    @Test func `unordered keys end the run`() async throws {
        let run = try await run { ListPage(objects: $0.objects.reversed(), next: nil) }
        #expect(run.summary.failure?.code == .badListing)
        #expect(run.summary.failure?.message.contains("not in key order") == true)
    }

    @Test func `a key that is named twice ends the run`() async throws {
        let run = try await run { ListPage(objects: [$0.objects[0]] + $0.objects, next: nil) }
        #expect(run.summary.failure?.code == .badListing)
        #expect(run.summary.failure?.message.contains("twice") == true)
    }

    @Test func `a page that comes twice ends the run`() async throws {
        let run = try await run({ ListPage(objects: $0.objects, next: $0.objects.isEmpty ? nil : "again") }, times: 1)
        // The store does not know the token and starts again from the first key.
        #expect(run.summary.failure != nil)
    }

    @Test func `the same token twice ends the run`() async throws {
        let run = try await run({ _ in ListPage(objects: [], next: "00") }, times: 2)
        #expect(run.summary.failure?.code == .badListing)
        #expect(run.summary.failure?.message.contains("token") == true)
    }

    @Test func `endless empty pages end the run`() async throws {
        let pair = try EngineFixture()
        let counter = Counter()
        pair.sourceSide = FaultStore(pair.source) { operation, _ in
            operation == .list ? .page { _ in ListPage(objects: [], next: "\(counter.next())") } : nil
        }
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .badListing)
        #expect(run.source.requests[.list]! < 1100)
    }

    @Test func `some empty pages are harmless`() async throws {
        let pair = try EngineFixture()
        for name in ["a", "b", "c"] { try await pair.put(ObjectKey(name), [1]) }
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.list, .page { _ in ListPage(objects: [], next: "") })
        let run = try await pair.run()
        #expect(run.summary.failure == nil)
        #expect(try await pair.isIdentical())
    }

    @Test func `a negative size ends the run`() async throws {
        let run = try await run {
            var page = $0
            page.objects[1].size = -1
            return page
        }
        #expect(run.summary.failure?.code == .badListing)
    }

    @Test func `a listing that leaves its prefix is refused`() async throws {
        let store = MemoryStore()
        let pair = try EngineFixture()
        try await pair.put("other/a", [1], in: store)
        let lying = FaultStore(store) { operation, _ in
            operation == .list
                ? .page { _ in
                    ListPage(objects: [ListedObject(key: "other/a", size: 1, version: VersionToken("v1"))], next: nil)
                } : nil
        }
        let rooted = PrefixedStore(lying, prefix: "mine/")
        await #expect(throws: StoreError.self) { try await rooted.list(ListRequest()) }
    }

    @Test func `names that are not objects are skipped by name, and what may lie behind them is not deleted`()
        async throws
    {
        let pair = try EngineFixture()
        try await pair.put("a", [1])
        try await pair.put("link", [2], in: pair.target)
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.list, .page { ListPage(objects: $0.objects, next: nil, unlistable: [("link", "a symbolic link")]) })
        faults.add(.head, "link", .error(.unsupportedObject))
        let run = try await pair.run()
        #expect(run.recorder.skips["link"] == .unlistable("a symbolic link"))
        #expect(try await pair.contents(of: pair.target)["link"] == [2])
        #expect(faults.unused.isEmpty)
    }
}
