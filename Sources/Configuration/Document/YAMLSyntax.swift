import Yams

/// What is wrong with text that is no YAML, without a word of the text itself.
enum YAMLSyntax {
    static func position(_ error: any Error) -> TextPosition {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): TextPosition(mark)
        case .reader(_, let offset, _, let yaml): position(of: offset ?? 0, in: yaml)
        default: TextPosition(line: 1, column: 1)
        }
    }

    private static func position(of offset: Int, in text: String) -> TextPosition {
        let before = text.prefix(offset)
        let line = before.count { $0.isNewline } + 1
        return TextPosition(line: line, column: before.reversed().prefix { !$0.isNewline }.count + 1)
    }

    static func message(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(let context, let problem, _, _), .parser(let context, let problem, _, _): advice(problem, context)
        case .composer(_, let problem, _, _) where problem.contains("another document"):
            "a second document begins here; a configuration is one"
        case .composer(_, let problem, _, _) where problem.contains("alias"):
            "aliases are not read; put a text that begins with * into quotes"
        case .composer(_, let problem, _, _): problem
        case .reader(let problem, _, _, _): "\(problem): this is not a text file"
        default: "this is no YAML"
        }
    }

    private static func advice(_ problem: String, _ context: YamlError.Context?) -> String {
        let place = context.map { " (\($0.text), which begins in line \($0.mark.line))" } ?? ""
        switch problem {
        case _ where problem.contains("Maximum nesting level"): return "nested too deeply"
        case _ where problem.contains("cannot start any token"):
            return
                "no value can begin with this character; indent with spaces, not tabs, and put a text with %, @ or ` into quotes"
        case _ where problem.contains("mapping values are not allowed"):
            return "a key where none can stand; put a text that holds ': ' into quotes, and look at the indentation"
        default: return problem + place
        }
    }
}
