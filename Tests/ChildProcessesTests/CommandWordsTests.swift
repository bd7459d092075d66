import ChildProcesses
import Testing

/// The words of a command line, as a shell would split it.
@Suite struct CommandWordsTests {
    @Test(arguments: [
        ("", []), ("  ", []), ("a", ["a"]), (" a  b\tc\n", ["a", "b", "c"]), ("'a b' c", ["a b", "c"]),
        (#""a b"c"#, ["a bc"]), ("''", [""]), (#"a\ b"#, ["a b"]), (#""a\"b\\c\d""#, [#"a"b\c\d"#]),
        (#"'a\b"c'"#, [#"a\b"c"#]), ("a'b'\"c\"", ["abc"]), ("$HOME *", ["$HOME", "*"]),
        (#"a\ b 'c "d' "e'f""#, ["a b", "c \"d", "e'f"]), ("'' x", ["", "x"]),
    ])
    func linesAreSplit(_ line: String, _ words: [String]) {
        #expect(CommandWords.split(line) == words)
    }

    @Test(arguments: ["'a", "\"a", #"a\"#, #""a\"#])
    func whatDoesNotEndIsNoLine(_ line: String) {
        #expect(CommandWords.split(line) == nil)
    }
}
