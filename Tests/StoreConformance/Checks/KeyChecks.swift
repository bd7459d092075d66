import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let keyChecks: [ConformanceCheck] =
        OddKeys.all.map { name, bytes in
            ConformanceCheck("odd key works unchanged or is refused by name: \(name)", needs: [.oddKeys]) { context in
                try await context.expectWorksOrIsNamed(context.prefix + ObjectKey(bytes))
            }
        } + [
            ConformanceCheck("odd key works unchanged or is refused by name: leading slash", needs: [.oddKeys]) {
                context in
                for name in ["/", "//", "/folder//"] {
                    try await context.expectWorksOrIsNamed(ObjectKey(name) + context.key("object"))
                }
            },
            ConformanceCheck("keys of 1,024 bytes, and of one more", needs: [.oddKeys]) { context in
                for length in [1023, 1024, 1025] {
                    let room = length - context.prefix.bytes.count
                    let folders = (0..<room).map { UInt8(ascii: $0 % 100 == 99 && $0 < room - 1 ? "/" : "x") }
                    try await context.expectWorksOrIsNamed(context.prefix + ObjectKey(folders))
                    try await context.expectWorksOrIsNamed(
                        context.prefix + ObjectKey([UInt8](repeating: UInt8(ascii: "y"), count: room)))
                }
            },
            ConformanceCheck("names that a person cannot tell apart are different objects", needs: [.oddKeys]) {
                context in
                for (one, other) in [
                    ("\u{E9}", "e\u{301}"), ("Case", "case"), ("x", "x "), ("a/b", "a//b"), ("d", "d/"),
                ] {
                    try await context.expectTwins(context.key(one), context.key(other))
                }
            },
            ConformanceCheck("an object and a folder of one name", needs: [.oddKeys]) { context in
                try await context.expectTwins(context.key("first"), context.key("first/below"))
                try await context.expectTwins(context.key("second/below"), context.key("second"))
            },
            ConformanceCheck("odd keys side by side are listed and deleted in one go", needs: [.oddKeys]) { context in
                let keys = OddKeys.all.enumerated().map { context.key("\($0.offset)-") + ObjectKey($0.element.bytes) }
                    .filter { context.store.rules.problem(with: $0) == nil }.sorted()
                _ = try await context.bounded(keys) { try await context.put(TestContent(3, seed: 91), at: $0) }
                try context.expectEqual(try await context.list().map(\.key), keys, "the listing")
                try context.expectEqual(
                    try await context.list(limit: 3).map(\.key), keys, "the listing in pages of three")
            },
        ]
}

/// Names with which tools have lost objects.
enum OddKeys {
    static let all: [(name: String, bytes: [UInt8])] =
        texts.map { ($0.0, Array($0.1.utf8)) } + [
            ("bytes that are not UTF-8", [0x61, 0xFF, 0xFE]),
            ("an overlong encoding of a slash", [0x2E, 0x2E, 0xC0, 0xAF, 0x61]),
            ("a lone surrogate", [0xED, 0xA0, 0x80]),
        ]

    private static let texts: [(String, String)] = [
        ("blanks", " two  blanks "), ("plus", "a+b c"), ("percent", "100%"), ("percent encoding", "a%2Fb%20c%00"),
        ("hash", "a#b"),
        ("question mark", "a?b=c&d"), ("ampersand and brackets", "<a>&amp;</a>"), ("quotes", "it's \"quoted\" `so`"),
        ("punctuation", "!$&'()*,;=:@[]{}|^~"), ("backslash", "a\\b\\..\\c"), ("double slash", "a//b"),
        ("many slashes", "a////b"),
        ("trailing slash", "folder/"), ("two trailing slashes", "folder//"), ("only slashes", "///"),
        ("dot segment", "a/./b"),
        ("dot-dot segment", "a/../b"), ("climbing", "../../../../etc/passwd"), ("dot at the end", "a/."),
        ("dot-dot at the end", "a/.."),
        ("dot alone", "."), ("dot-dot alone", ".."), ("three dots", "..."), ("names that end in dots", "a./b.."),
        ("hidden", ".hidden"),
        ("line breaks", "a\nb\rc\r\nd"), ("tab", "a\tb"), ("control characters", "a\u{1}b\u{8}c\u{1B}[31m"),
        ("delete character", "a\u{7F}b"),
        ("C1 control characters", "a\u{80}b\u{9F}c"), ("NUL", "a\u{0}b"),
        ("beyond ASCII, composed", "gr\u{FC}n/\u{E9}"),
        ("beyond ASCII, decomposed", "gru\u{308}n/e\u{301}"), ("beyond the basic plane", "😀/𝒳"),
        ("right to left", "\u{202E}abc"),
        ("byte order mark", "\u{FEFF}a"), ("not characters", "a\u{FFFE}b\u{FFFF}"), ("line separator", "a\u{2028}b"),
        ("device name", "con"), ("device name with extension", "aux.txt"), ("reserved directory", ".lockstep/tmp/x"),
        ("word that services reserve", "soap"), ("well-known address", ".well-known/acme-challenge/x"),
        ("long segment", String(repeating: "s", count: 300)),
        ("name that looks like a query", "?uploads"), ("name that looks like an option", "-rf"), ("star", "*"),
        ("many segments", String(repeating: "a/", count: 200) + "b"),
    ]
}

extension ConformanceContext {
    /// Either the key does all that keys do, or the rules say why not and the store refuses it: nothing in between.
    fileprivate func expectWorksOrIsNamed(_ key: ObjectKey) async throws {
        let content = TestContent(1000, seed: 90)
        if let problem = store.rules.problem(with: key) {
            try expect(!problem.isEmpty, "a reason why \(key) is refused", "an empty one")
            try await expectFailure(.invalidKey, of: "a put of the refused key \(key)") {
                try await self.put(content, at: key)
            }
            let left = try await list()
            try expect(left.isEmpty, "nothing stored for the refused key \(key)", "\(left.map(\.key))")
            return
        }
        let version = try await put(content, at: key).version
        try await expectObject(key, holds: content, version: version)
        if key.hasPrefix(prefix) {
            try expectEqual(try await list().map(\.key), [key], "the listing")
            try expectEqual(
                try await list(startAfter: prefix, limit: 1).map(\.key), [key], "the listing in pages of one")
        }
        let other = TestContent(0, seed: 0)
        let replaced = try await put(other, at: key).version
        try await expectObject(key, holds: other, version: replaced)
        try await delete(key)
        try await expectAbsent(key)
    }

    /// Both keep their own content; a store that cannot hold both refuses the second and keeps the first.
    fileprivate func expectTwins(_ one: ObjectKey, _ other: ObjectKey) async throws {
        guard store.rules.problem(with: one) == nil, store.rules.problem(with: other) == nil else { return }
        let (first, second) = (TestContent(100, seed: 92), TestContent(200, seed: 93))
        let version = try await put(first, at: one).version
        do {
            let otherVersion = try await put(second, at: other).version
            try await expectObject(other, holds: second, version: otherVersion)
        } catch let error as StoreError where error.code == .invalidKey && fixture.refusesObjectAndFolderOfOneName {
            try await expectAbsent(other)
        }
        try await expectObject(one, holds: first, version: version)
        try await delete(other)
        try await expectObject(one, holds: first, version: version)
        try await delete(one)
    }
}
