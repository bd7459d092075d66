import Replication
import Testing

@Suite struct GlobPatternTests {
    @Test(arguments: [
        ("*.bin", "a.bin", true), ("*.bin", "x/y/a.bin", true), ("*.bin", "a.bin.gz", false),
        ("/*.bin", "x/a.bin", false),
        ("/*.bin", "a.bin", true), ("data/", "data/x/y", true), ("data/", "my/data/x", true),
        ("/data/", "my/data/x", false),
        ("a/**/z", "a/b/c/z", true), ("a/*/z", "a/b/c/z", false), ("**/latest", "latest", true),
        ("**/latest", "a/b/latest", true),
        ("a?c", "abc", true), ("a?c", "a/c", false), ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false),
        ("{a,b{1,2}}.t", "b2.t", true),
        ("{a,b{1,2}}.t", "b3.t", false), ("\\*", "*", true), ("\\*", "a", false), ("**", "anything/at all", true),
        ("ü*", "übung", true), ("[]]x", "]x", true), ("*a*a*a*a*a*b", String(repeating: "a", count: 200), false),
    ])
    func matching(pattern: String, key: String, expected: Bool) throws {
        #expect(try GlobPattern(pattern).matches(Array(key.utf8)) == expected)
    }

    @Test(arguments: ["", "[abc", "{a,b", "a\\", "[z-a]"]) func `bad patterns are refused with a reason`(
        pattern: String
    ) {
        #expect(throws: GlobPattern.SyntaxError.self) { try GlobPattern(pattern) }
    }
}
