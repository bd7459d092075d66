import ObjectStores
import ReplicationModel
import Testing
import Vault

struct SnapshotTreeTests {
    private typealias Samples = SnapshotSamples

    /// What is in a tree, page by page and level by level, without the pages' random names.
    private static func shape(_ root: PageReference?, _ pages: PageStore) async throws -> [[String]] {
        guard let root else { return [] }
        var shape: [[String]] = []
        var level = [root]
        while !level.isEmpty {
            var next: [PageReference] = []
            var texts: [String] = []
            for reference in level {
                switch try await pages.read(reference) {
                case .entries(let entries): texts.append("\(entries.map { "\($0.key) \($0.token)" })")
                case .children(let number, let children):
                    texts.append("\(number) \(children.map { "\($0.firstKey) \($0.objects) \($0.bytes)" })")
                    next += children.map(\.reference)
                }
            }
            shape.append(texts)
            level = next
        }
        return shape
    }

    private static func all(_ tree: SnapshotTree) async throws -> [VaultEntry] {
        var entries: [VaultEntry] = []
        try await tree.forEachEntry { entries.append($0) }
        return entries
    }

    /// Thousands of changes in rounds of all sizes: content, sums and shape are always those of a tree built from nothing.
    @Test(arguments: [1, 2, 3] as [UInt64]) func equalsAModel(seed: UInt64) async throws {
        var random = SampleRandom(seed)
        let pages = PageStore(store: MemoryStore(), keys: Samples.keys)
        var model: [ObjectKey: VaultEntry] = [:]
        var tree = SnapshotTree(root: nil, pages: pages)
        for round in 0..<24 {
            var changes: [ObjectKey: VaultEntry?] = [:]
            // Grows, then is eaten away, from single changes up to everything.
            let deletes = round < 12 ? 10 : 80
            for _ in 0..<[1, 3, 40, 4000, 2, 700, 1500, 1][round % 8] {
                let key = Samples.key(&random, of: 20_000)
                if random.chance(deletes) {
                    changes.updateValue(nil, forKey: key)
                } else if random.chance(3), let same = model[key] {
                    changes[key] = same
                } else {
                    changes[key] = Samples.entry(key, &random)
                }
            }
            if round % 5 == 4 {
                // A whole stretch goes, up to the end or not.
                let keys = model.keys.sorted()
                let first = Int.random(in: 0..<keys.count, using: &random)
                let last = random.chance(30) ? keys.count : Int.random(in: first...keys.count, using: &random)
                for key in keys[first..<last] { changes.updateValue(nil, forKey: key) }
            }
            for (key, entry) in changes { model[key] = entry }
            let result = try await tree.applying(
                changes.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }, session: Samples.session)
            tree = SnapshotTree(root: result.root, pages: pages)
            let expected = model.values.sorted { $0.key < $1.key }
            #expect(result.objects == expected.count && result.bytes == expected.reduce(0) { $0 + $1.size })
            let built = try await Samples.build(expected, pages)
            let (left, right) = (try await Self.shape(tree.root, pages), try await Self.shape(built.root, pages))
            #expect(left == right, "seed \(seed), round \(round)")
            #expect(try await Self.all(tree) == expected)
        }
        let nothing = try await tree.applying(model.keys.sorted().map { ($0, nil) }, session: Samples.session)
        #expect(nothing.root == nil && nothing.objects == 0 && nothing.bytes == 0)
    }

    @Test func findsAndListsAsTheModel() async throws {
        var random = SampleRandom(10)
        var model: [ObjectKey: VaultEntry] = [:]
        for _ in 0..<9000 {
            let key = Samples.key(&random, of: 30_000)
            model[key] = Samples.entry(key, &random)
        }
        let sorted = model.values.sorted { $0.key < $1.key }
        // Small memory: pages leave the cache all the time.
        let pages = PageStore(store: MemoryStore(), keys: Samples.keys, memory: 2 << 20)
        let tree = SnapshotTree(root: try await Samples.build(sorted, pages).root, pages: pages)
        for _ in 0..<300 {
            let key = Samples.key(&random, of: 30_000)
            #expect(try await tree.entry(for: key) == model[key])
        }
        for prefix: ObjectKey in ["", "folder-3/", "folder-3/sub1", "folder-6/sub30/object-9", "a", "folder-9", "g"] {
            for after: ObjectKey? in [nil, "", "folder-3/sub15", sorted[4000].key, sorted.last!.key, "zz"] {
                for limit in [0, 1, 7, 1000, 100_000] {
                    let expected = sorted.filter { $0.key.hasPrefix(prefix) && (after == nil || after! < $0.key) }
                    let listed = try await tree.entries(prefix: prefix, after: after, limit: limit)
                    #expect(listed == Array(expected.prefix(limit)))
                }
            }
        }
        let none = SnapshotTree(root: nil, pages: pages)
        #expect(try await none.entry(for: "x") == nil)
        #expect(try await none.entries(prefix: "", after: nil, limit: 5).isEmpty)
    }

    @Test func oneChangeWritesOnePageALevel() async throws {
        var random = SampleRandom(11)
        let entries = (0..<200_000).map { Samples.entry(ObjectKey("k\(1_000_000 + $0)"), &random, chunks: 1) }
        let store = FaultStore(MemoryStore()) { _, _, _ in nil }
        let pages = PageStore(store: store, keys: Samples.keys)
        let built = try await Samples.build(entries, pages)
        let tree = SnapshotTree(root: built.root, pages: pages)
        #expect(built.objects == 200_000 && store.count(.put) == built.pagesWritten)
        let levels = try await Self.shape(built.root, pages).count
        #expect(levels == 3)

        var more = 0
        for _ in 0..<50 {
            let key = ObjectKey("k\(Int.random(in: 1_000_000..<1_200_000, using: &random))x")
            let before = store.count(.put)
            let result = try await tree.applying([(key, Samples.entry(key, &random))], session: Samples.session)
            #expect(result.objects == 200_001)
            #expect(store.count(.put) - before == result.pagesWritten)
            // Borders move when a new key is one or a page was at its greatest count: by a page or two.
            #expect((levels...3 * levels).contains(result.pagesWritten))
            if result.pagesWritten > levels { more += 1 }
        }
        #expect(more < 10)

        let same = try await tree.applying([(entries[77].key, entries[77]), ("none", nil)], session: Samples.session)
        #expect(same.root == tree.root && same.pagesWritten == 0)
    }

    @Test func enumeratesPagesOnce() async throws {
        var random = SampleRandom(12)
        let entries = (0..<30_000).map { Samples.entry(ObjectKey("k\(100_000 + $0)"), &random, chunks: 1) }
        let store = FaultStore(MemoryStore()) { _, _, _ in nil }
        let pages = PageStore(store: store, keys: Samples.keys)
        let first = try await Samples.build(entries, pages)
        let tree = SnapshotTree(root: first.root, pages: pages)
        var seen: Set<PageReference> = []
        try await tree.pages(into: &seen)
        #expect(seen.count == first.pagesWritten)
        #expect(store.count(.read) < 5)

        let changed = Samples.entry(entries[100].key, &random)
        let second = try await tree.applying([(changed.key, changed)], session: Samples.session)
        let newer = SnapshotTree(root: second.root, pages: pages)
        var visited: [VaultEntry] = []
        try await newer.forEachEntry(notIn: &seen) { visited.append($0) }
        #expect(seen.count == first.pagesWritten + second.pagesWritten)
        #expect(visited.contains(changed) && visited.count <= PageEncoder.greatestCount)
        let reads = store.count(.read)
        try await newer.forEachEntry(notIn: &seen) { _ in Issue.record("seen before") }
        #expect(store.count(.read) == reads)
    }

    @Test func differencesAreThoseOfTheModel() async throws {
        var random = SampleRandom(13)
        let pages = PageStore(store: MemoryStore(), keys: Samples.keys)
        var model: [ObjectKey: VaultEntry] = [:]
        var tree = SnapshotTree(root: nil, pages: pages)
        for count in [0, 6000, 1, 20, 3000, 5] {
            let before = model
            var changes: [ObjectKey: VaultEntry?] = [:]
            for _ in 0..<count {
                let key = Samples.key(&random, of: 15_000)
                changes.updateValue(random.chance(30) ? nil : Samples.entry(key, &random), forKey: key)
            }
            for (key, entry) in changes { model[key] = entry }
            let result = try await tree.applying(
                changes.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }, session: Samples.session)
            let newer = SnapshotTree(root: result.root, pages: pages)
            var expected: [EntryDifference] = []
            for key in Set(before.keys).union(model.keys).sorted() where before[key] != model[key] {
                switch (before[key], model[key]) {
                case (let old?, let new?): expected.append(.changed(from: old, to: new))
                case (let old?, nil): expected.append(.removed(old))
                case (nil, let new?): expected.append(.added(new))
                case (nil, nil): break
                }
            }
            var found: [EntryDifference] = []
            try await tree.differences(to: newer) { found.append($0) }
            #expect(found == expected)
            tree = newer
        }
        var removed = 0
        try await tree.differences(to: SnapshotTree(root: nil, pages: pages)) { _ in removed += 1 }
        #expect(removed == model.count)
    }

    @Test func differencesReadOnlyWhatDiffers() async throws {
        var random = SampleRandom(14)
        let entries = (0..<50_000).map { Samples.entry(ObjectKey("k\(100_000 + $0)"), &random, chunks: 1) }
        let store = MemoryStore()
        let writing = PageStore(store: store, keys: Samples.keys)
        let first = try await Samples.build(entries, writing).root
        let changed = Samples.entry(entries[25_000].key, &random)
        let second = try await SnapshotTree(root: first, pages: writing).applying(
            [(changed.key, changed)], session: Samples.session
        ).root
        let counted = FaultStore(store) { _, _, _ in nil }
        let pages = PageStore(store: counted, keys: Samples.keys)
        var found: [EntryDifference] = []
        try await SnapshotTree(root: first, pages: pages).differences(to: SnapshotTree(root: second, pages: pages)) {
            found.append($0)
        }
        #expect(found == [.changed(from: entries[25_000], to: changed)])
        #expect(counted.count(.read) == 4)
    }

    @Test func settlesLostRepliesAndReportsFailures() async throws {
        var random = SampleRandom(15)
        let entries = (0..<3000).map { Samples.entry(ObjectKey("k\(100_000 + $0)"), &random) }
        let lost = FaultStore(MemoryStore()) { operation, _, number in
            operation == .put ? [.lostReply, .lostRequest, nil][number % 3] : nil
        }
        let pages = PageStore(store: lost, keys: Samples.keys)
        let built = try await Samples.build(entries, pages)
        #expect(try await Self.all(SnapshotTree(root: built.root, pages: pages)) == entries)

        let full = FaultStore(MemoryStore()) { operation, _, number in
            operation == .put && number == 2 ? .error(.quotaExceeded) : nil
        }
        await #expect {
            _ = try await Samples.build(entries, PageStore(store: full, keys: Samples.keys))
        } throws: {
            ($0 as? VaultError)?.store?.code == .quotaExceeded
        }
    }

    @Test func tellsMissingShortAndSwappedPages() async throws {
        var random = SampleRandom(16)
        let entries = (0..<3000).map { Samples.entry(ObjectKey("k\(100_000 + $0)"), &random) }
        let store = MemoryStore()
        let built = try await Samples.build(entries, PageStore(store: store, keys: Samples.keys))
        var seen: Set<PageReference> = []
        try await SnapshotTree(root: built.root, pages: PageStore(store: store, keys: Samples.keys)).pages(into: &seen)
        let leaves = seen.filter { $0 != built.root }.sorted { $0.name < $1.name }
        func code() async -> VaultError.Code? {
            let tree = SnapshotTree(root: built.root, pages: PageStore(store: store, keys: Samples.keys))
            do throws(VaultError) {
                try await tree.forEachEntry { _ throws(VaultError) in }
                return nil
            } catch {
                return error.code
            }
        }
        let victim = leaves[0]
        let original = try await StoredObject.read(victim.name, from: store, limit: 1 << 20)
        for wrong in [Array(original.dropLast()), original.map { $0 ^ 1 }] {
            try await StoredObject.put(wrong, victim.name, to: store, condition: .unconditional)
            #expect(await code() == .damaged)
        }
        // Another page of the same vault, under this name.
        let other = try await StoredObject.read(leaves[1].name, from: store, limit: 1 << 20)
        try await StoredObject.put(other, victim.name, to: store, condition: .unconditional)
        #expect(await code() == .damaged)
        _ = await store.delete([DeleteRequest(key: ObjectKey(victim.name), version: nil)])
        #expect(await code() == .missing)
        try await StoredObject.put(original, victim.name, to: store)
        #expect(await code() == nil)
    }

    /// Many callers for one page: one read.
    @Test func readsAPageOnceAtATime() async throws {
        var random = SampleRandom(17)
        let base = MemoryStore()
        let root = try #require(
            try await Samples.build([Samples.entry("a", &random)], PageStore(store: base, keys: Samples.keys)).root)
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let store = FaultStore(base) { operation, _, _ in
            operation == .read ? .before { for await _ in gate { break } } : nil
        }
        let pages = PageStore(store: store, keys: Samples.keys)
        try await withThrowingTaskGroup(of: SnapshotPage.self) { group in
            for _ in 0..<20 { group.addTask { try await pages.read(root) } }
            let cancelled = Task { try await pages.read(root) }
            cancelled.cancel()
            await #expect(throws: VaultError.self) { _ = try await cancelled.value }
            opener.finish()
            for try await page in group { #expect(page.level == 0) }
        }
        #expect(store.count(.read) == 1)
    }
}
