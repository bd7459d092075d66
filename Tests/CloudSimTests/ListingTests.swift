import CloudSim
import Testing

@Suite struct ListingTests {
    /// Pages of a listing, each entry as text, prefixes with a star.
    private static func pages(_ bucket: Bucket, _ query: ListQuery) -> [[String]] {
        var query = query
        var pages: [[String]] = []
        while pages.count < 1_000 {
            let page = bucket.list(query)
            pages.append(
                page.entries.map { entry in
                    if case .prefix = entry { entry.name.text + "*" } else { entry.name.text }
                })
            guard let next = page.next else { break }
            query.start = next
        }
        return pages
    }

    private func list(_ keys: [String], _ query: ListQuery) async throws -> [[String]] {
        let sim = try await CloudSim.start()
        for key in keys { try await sim.put(.s3, bucket: "bucket", key: key, bytes: []) }
        if keys.isEmpty { try await sim.createBucket(.s3, "bucket") }
        let pages = try await sim.withStorage(.s3) { Self.pages($0.bucket("bucket")!, query) }
        try await sim.stop()
        return pages
    }

    private let keys = ["a/1", "a/2", "a0", "b", "c/d/e", "c/d/f", "c/g", "d"]

    @Test func wholeBucket() async throws {
        #expect(try await list(keys.shuffled(), ListQuery()) == [keys])
        #expect(try await list([], ListQuery()) == [[]])
    }

    @Test(arguments: 1...4)
    func pagesCoverPrefixesOnce(_ limit: Int) async throws {
        var query = ListQuery()
        query.delimiter = Array("/".utf8)
        query.limit = limit
        let pages = try await list(keys, query)
        #expect(pages.flatMap { $0 } == ["a/*", "a0", "b", "c/*", "d"])
        #expect(pages.allSatisfy { $0.count <= limit })
    }

    @Test func prefixAndBounds() async throws {
        var query = ListQuery()
        query.prefix = ObjectName("c/")
        query.delimiter = Array("/".utf8)
        #expect(try await list(keys, query) == [["c/d/*", "c/g"]])
        query = ListQuery()
        query.startAfter(ObjectName("a0"))
        query.end = ObjectName("c/g")
        #expect(try await list(keys, query) == [["b", "c/d/e", "c/d/f"]])
        query = ListQuery()
        query.limit = 0
        #expect(try await list(keys, query) == [[]])
    }
}
