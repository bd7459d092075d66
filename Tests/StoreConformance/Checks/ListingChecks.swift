import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let listingChecks: [ConformanceCheck] = [
        ConformanceCheck("a prefix without objects lists as empty") { context in
            try await context.put(TestContent(1, seed: 80), at: context.key("present/object"))
            for name in ["absent", "absent/", "present/objects", "present/object/"] {
                let found = try await context.list(context.key(name))
                try context.expect(found.isEmpty, "nothing below \(name)", "\(found.map(\.key))")
            }
        },
        ConformanceCheck("keys come in the order of their bytes") { context in
            let keys = try await context.makeTree()
            try context.expectEqual(try await context.list().map(\.key), keys, "the listing")
        },
        ConformanceCheck("pages of any size make up the same listing") { context in
            let keys = try await context.makeTree()
            for limit in [1, 2, 3, 7, keys.count] {
                try context.expectEqual(
                    try await context.list(limit: limit).map(\.key), keys, "the listing in pages of \(limit)")
            }
        },
        ConformanceCheck("a prefix selects by bytes, not by folders") { context in
            let keys = try await context.makeTree()
            for name in ["a", "a/", "a/b", "a/b/", "a/b/c", "ab", "m/n/o/p", "m/n/o/", "é", "zz", "~"] {
                let prefix = context.key(name)
                for limit in [2, 1000] {
                    try context.expectEqual(
                        try await context.list(prefix, limit: limit).map(\.key), keys.filter { $0.hasPrefix(prefix) },
                        "the listing of the prefix \(name) in pages of \(limit)")
                }
            }
        },
        ConformanceCheck("a listing starts after a key, whether it exists or not", needs: [.startAfter]) { context in
            let keys = try await context.makeTree()
            let missing = [
                "", "!", "A0", "a/b", "a/b/", "a/b/c/", "a/b/zzz", "a/zzz", "b", "m/n", "m/n/o/p/z", "zzz",
                "\u{10FFFF}",
            ]
            for start in keys + missing.map({ context.key($0) }) {
                for limit in [2, 1000] {
                    try context.expectEqual(
                        try await context.list(startAfter: start, limit: limit).map(\.key), keys.filter { start < $0 },
                        "the listing after \(start) in pages of \(limit)")
                }
            }
            for (prefix, start) in [("a/", "a/b/c"), ("a/", "A"), ("a/", "b"), ("m/n/", "m/n/o/p1"), ("a/b", "a/b!")] {
                try context.expectEqual(
                    try await context.list(context.key(prefix), startAfter: context.key(start)).map(\.key),
                    keys.filter { $0.hasPrefix(context.key(prefix)) && context.key(start) < $0 },
                    "the listing of \(prefix) after \(start)")
            }
        },
        ConformanceCheck("an upper bound hides nothing below it") { context in
            let keys = try await context.makeTree()
            for bound in keys + [context.key("a/zzz"), context.key("0"), context.key("zzz")] {
                let found = try await context.list(endBefore: bound).map(\.key)
                try context.expectEqual(
                    found.filter { $0 < bound }, keys.filter { $0 < bound }, "the listing before \(bound)")
                try context.expect(found.allSatisfy(keys.contains), "only keys that are there", "\(found)")
            }
        },
        ConformanceCheck("more keys than a page holds are listed completely", needs: [.manyKeys]) { context in
            let numbers = Array(0..<context.fixture.manyKeys)
            let names = numbers.map { number in
                // Not in the order of their numbers, and in folders of which some end at a page's end.
                context.key("\(number % 7)/\(String(number &* 7919 % 99_991, radix: 36))-\(number)")
            }
            let versions = try await context.bounded(numbers) { number in
                try await context.put(TestContent(number % 3, seed: UInt64(number)), at: names[number]).version
            }
            for limit in [1000, 401] {
                let found = try await context.list(limit: limit)
                try context.expectEqual(found.map(\.key), names.sorted(), "the keys in pages of \(limit)")
                let expected = Dictionary(uniqueKeysWithValues: zip(names, zip(numbers, versions)))
                for object in found {
                    let (number, version) = expected[object.key]!
                    try context.expectEqual(object.size, Int64(number % 3), "the size of \(object.key)")
                    try context.expectEqual(object.version, version, "the version of \(object.key)")
                }
            }
        },
        ConformanceCheck("what is deleted or replaced between pages leaves the rest of the listing whole") { context in
            let keys = try await context.makeTree()
            var request = ListRequest(prefix: context.prefix, limit: 4)
            var found: [ObjectKey] = []
            var pages = 0
            repeat {
                let page = try await context.store.list(request)
                found += page.objects.map(\.key)
                if pages == 0 {
                    try await context.delete(keys[0])
                    try await context.delete(keys[keys.count - 1])
                    try await context.put(TestContent(9, seed: 81), at: keys[keys.count / 2])
                }
                request.cursor = page.next
                pages += 1
                try context.expect(pages < 1000, "a listing that ends", "\(pages) pages")
            } while request.cursor != nil
            try context.expectEqual(
                found.sorted().filter { $0 != keys[keys.count - 1] }, Array(keys.dropLast()),
                "the keys that stayed or were seen before")
        },
    ]
}

extension ConformanceContext {
    /// Objects whose order by bytes is not that of folders, of UTF-16 or of any language. Sorted.
    fileprivate func makeTree() async throws -> [ObjectKey] {
        let names = [
            "A", "Z", "_", "a!", "a-b", "a.b", "a/a", "a/b!", "a/b/c", "a/b/d/e", "a/b0", "a/c", "a0", "ab/c",
            "m/n/o/p1",
            "m/n/o/p2", "m/n/o0", "z", "~", "e\u{301}", "é", "日本語", "\u{FFFD}", "😀",
        ]
        let keys = names.map { key($0) }.filter { store.rules.problem(with: $0) == nil }
        _ = try await bounded(Array(keys.enumerated())) { item in
            try await self.put(TestContent(item.offset, seed: 82), at: item.element)
        }
        return keys.sorted()
    }
}
