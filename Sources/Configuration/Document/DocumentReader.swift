import Yams

/// Reads the YAML of a configuration: bounded, and without what makes YAML surprising.
///
/// Refused are aliases, anchors, tags, merge keys and further documents. Duplicate keys are problems like others: the first one counts
/// and the rest of the document is looked at.
struct DocumentReader {
    static let maxBytes = 1 << 20
    static let maxDepth = 32
    static let maxNodes = 20_000
    /// Marks that begin or end a node, in text and comments alike: more of them are not read at all, so that what is refused for its
    /// number of nodes is not built before.
    private static let maxMarks = 4 * maxNodes

    /// Repeated keys that are looked for; the next one ends the reading.
    private static let maxDuplicates = 10

    private(set) var problems: [ConfigurationProblem] = []
    private var nodes = 0
    private var duplicates: Set<String> = []

    /// nil when there is no document to look at; then there is a problem.
    mutating func read(_ bytes: [UInt8]) -> DocumentNode? {
        guard let text = text(bytes) else { return nil }
        if let mark = AliasScan.first(in: text) {
            problem(mark, "", "aliases are not read: write the value where it is used, or in defaults")
            return nil
        }
        guard let (parser, root) = compose(text) else { return nil }
        // Nodes know their anchors only as long as their parser lives.
        let node = withExtendedLifetime(parser) { convert(root, depth: 1, path: "") }
        if nodes > Self.maxNodes {
            problem(TextPosition(line: 1, column: 1), "", "more than \(Self.maxNodes) values; split the file")
            return nil
        }
        return node
    }

    private mutating func text(_ bytes: [UInt8]) -> String? {
        let start = TextPosition(line: 1, column: 1)
        guard bytes.count <= Self.maxBytes else {
            problem(start, "", "larger than 1 MiB; split the file")
            return nil
        }
        let marks = bytes.count { [0x0A, 0x2C, 0x5B, 0x7B, 0x3F].contains($0) }
        guard marks <= Self.maxMarks else {
            problem(start, "", "more than \(Self.maxNodes) values; split the file")
            return nil
        }
        if let index = bytes.firstIndex(of: 0) {
            problem(position(of: index, in: bytes), "", "a NUL byte: this is not a text file")
            return nil
        }
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let content = bytes.starts(with: byteOrderMark) ? bytes[3...] : bytes[...]
        guard let text = String(validating: content, as: UTF8.self) else {
            problem(start, "", "not UTF-8; save the file as UTF-8")
            return nil
        }
        return text
    }

    private func position(of index: Int, in bytes: [UInt8]) -> TextPosition {
        let before = bytes[..<index]
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return TextPosition(line: before.count { $0 == 0x0A } + 1, column: index - lineStart + 1)
    }

    private mutating func compose(_ text: String) -> (parser: Parser, root: Node)? {
        var text = text
        for _ in 0...Self.maxDuplicates {
            do {
                let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
                if let root = try parser.singleRoot() { return (parser, root) }
                problem(TextPosition(line: 1, column: 1), "", "empty: a configuration names version: 1 and pairs")
                return nil
            } catch YamlError.duplicatedKeysInMapping(let names, let context) {
                let first = TextPosition(context.mark)
                guard let renamed = RepeatedKey(text, first: first).hidden(Self.duplicate(duplicates.count)) else {
                    problem(first, names.first ?? "", "the key is there more than once; keep one of them")
                    return nil
                }
                text = renamed.text
                duplicates.insert(renamed.placeholder)
                problem(
                    renamed.position, renamed.key, "the key is there already, in line \(first.line); keep one of them")
            } catch {
                problem(YAMLSyntax.position(error), "", YAMLSyntax.message(error))
                return nil
            }
        }
        return nil
    }

    /// A name that nobody writes: one private-use character.
    private static func duplicate(_ number: Int) -> Unicode.Scalar { Unicode.Scalar(0xE000 + UInt32(number))! }

    private mutating func convert(_ node: Node, depth: Int, path: String) -> DocumentNode? {
        nodes += 1
        let position = node.mark.map { TextPosition($0) } ?? TextPosition(line: 1, column: 1)
        guard nodes <= Self.maxNodes else { return nil }
        guard depth <= Self.maxDepth else {
            problem(position, path, "nested deeper than \(Self.maxDepth) levels")
            return nil
        }
        if node.hasAnchor {
            problem(position, path, "anchors are not read: write the value where it is used, or in defaults")
        }
        if node.hasTag(isKey: false) { problem(position, path, "tags are not read: leave out the word with !") }
        switch node {
        case .scalar(let scalar):
            return DocumentNode(
                content: .scalar(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any),
                position: position)
        case .sequence(let sequence):
            let values = sequence.enumerated().compactMap { index, value in
                convert(value, depth: depth + 1, path: "\(path)[\(index + 1)]")
            }
            return DocumentNode(content: .list(values), position: position)
        case .mapping(let mapping):
            return DocumentNode(content: .mapping(entries(mapping, depth, path)), position: position)
        case .alias:
            problem(position, path, "aliases are not read: write the value where it is used, or in defaults")
            return nil
        }
    }

    private mutating func entries(_ mapping: Node.Mapping, _ depth: Int, _ path: String) -> [DocumentNode.Entry] {
        var entries: [DocumentNode.Entry] = []
        for (key, value) in mapping {
            let position = key.mark.map { TextPosition($0) } ?? TextPosition(line: 1, column: 1)
            guard case .scalar(let name) = key else {
                problem(position, path, "a key is one word")
                continue
            }
            guard !duplicates.contains(name.string) else { continue }
            guard name.string != "<<" else {
                problem(position, path, "merge keys are not read: write the values out, or put them into defaults")
                continue
            }
            if key.hasAnchor || key.hasTag(isKey: true) {
                problem(position, path, "a key is one word, without anchor or tag")
            }
            let inner = path.isEmpty ? name.string : "\(path).\(name.string)"
            guard let value = convert(value, depth: depth + 1, path: inner) else { continue }
            entries.append(DocumentNode.Entry(key: name.string, position: position, value: value))
        }
        return entries
    }

    private mutating func problem(_ position: TextPosition, _ path: String, _ message: String) {
        problems.append(ConfigurationProblem(position, path, message))
    }
}

extension TextPosition {
    init(_ mark: Mark) {
        self.init(line: max(1, mark.line), column: max(1, mark.column))
    }
}

extension Node {
    fileprivate var hasAnchor: Bool {
        switch self {
        case .scalar(let scalar): scalar.anchor != nil
        case .sequence(let sequence): sequence.anchor != nil
        case .mapping(let mapping): mapping.anchor != nil
        case .alias: true
        }
    }

    /// Quotes, and being a key, count as a tag for the library.
    fileprivate func hasTag(isKey: Bool) -> Bool {
        let implied: [Tag.Name]
        let name: Tag.Name
        switch self {
        case .scalar(let scalar):
            implied = isKey || scalar.style != .plain ? [.implicit, .str] : [.implicit]
            name = Tag.Name(rawValue: scalar.tag.rawValue)
        case .sequence(let sequence):
            implied = isKey ? [.implicit, .seq] : [.implicit]
            name = Tag.Name(rawValue: sequence.tag.rawValue)
        case .mapping(let mapping):
            implied = isKey ? [.implicit, .map] : [.implicit]
            name = Tag.Name(rawValue: mapping.tag.rawValue)
        case .alias: return false
        }
        return !implied.contains(name)
    }
}
