import CloudSim
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("*", "", true), ("*", "a/b", true), ("a*c", "abc", true), ("a*c", "abcd", false), ("a?c", "abc", true),
        ("*.bin", "x/y.bin", true), ("*.bin", "x/y.bin.tmp", false), ("**/latest", "a/b/latest", true),
        ("", "a", false),
    ])
    func patterns(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(Glob(pattern).matches(text.utf8) == expected)
    }
}
