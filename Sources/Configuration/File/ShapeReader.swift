/// Compares a document with the declarations of its keys: what fits becomes fields, what does not a problem.
struct ShapeReader {
    let references: ReferenceResolver
    private(set) var problems: [ConfigurationProblem] = []

    init(_ references: ReferenceResolver) {
        self.references = references
    }

    mutating func problem(
        _ position: TextPosition, _ path: String, _ message: String, suggestion: String? = nil
    ) {
        problems.append(ConfigurationProblem(position, path, message, suggestion: suggestion))
    }

    mutating func object(_ node: DocumentNode, _ shape: ObjectShape, at position: TextPosition, path: String) -> Fields?
    {
        guard case .mapping(let entries) = node.content else {
            let keys = shape.keys.prefix(4).map(\.name).joined(separator: ", ")
            problem(node.position, path, "must be a mapping with keys such as \(keys), and is \(node.kind)")
            return nil
        }
        var fields = Fields(shape, at: position, path: path)
        for entry in entries {
            let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            guard let declaration = shape[entry.key] else {
                unknownKey(entry, shape, inner)
                continue
            }
            fields.items[entry.key] = value(entry.value, declaration.shape, at: entry.position, path: inner)
        }
        let written = Set(entries.map(\.key))
        for key in shape.keys where key.isRequired && !written.contains(key.name) {
            problem(position, path, "'\(key.name)' is missing: \(key.summary)")
        }
        if !shape.oneOf.isEmpty {
            let chosen = entries.filter { shape.oneOf.contains($0.key) }
            let choice = shape.oneOf.map { "'\($0)'" }.joined(separator: " or ")
            if chosen.isEmpty { problem(position, path, "\(choice) is missing") }
            if chosen.count > 1 { problem(chosen[1].position, path, "either \(choice), not both") }
        }
        return fields
    }

    private mutating func unknownKey(_ entry: DocumentNode.Entry, _ shape: ObjectShape, _ path: String) {
        let known = shape.keys.map(\.name)
        // Misplaced is likelier than mistyped when another object has a key of that very name.
        let suggestion = shape.path(to: entry.key) ?? Nearest.of(entry.key, in: known)
        let message =
            suggestion == nil && known.count <= 12
            ? "unknown key; known are \(known.joined(separator: ", "))" : "unknown key"
        problem(entry.position, path, message, suggestion: suggestion)
    }

    private mutating func value(
        _ node: DocumentNode, _ shape: ValueShape, at position: TextPosition, path: String
    ) -> Fields.Item? {
        if node.isNothing {
            problem(position, path, "has no value; write one, or leave the key out")
            return nil
        }
        let value: Fields.Value?
        switch shape {
        case .scalar(let type):
            value = scalar(node, type, path).map { .scalar($0) }
        case .list(let element, let orSingle, let least, let most):
            value = list(node, element, orSingle, least, most, path).map { .list($0) }
        case .object(let object):
            value = self.object(node, object, at: position, path: path).map { .object($0) }
        case .named(let entry, let noun):
            value = named(node, entry, noun, path).map { .named($0) }
        case .short(let key, let object):
            value = short(node, key, object, at: position, path).map { .object($0) }
        case .variants(let key, let variants):
            value = variant(node, key, variants, at: position, path).map { .object($0) }
        }
        return value.map { Fields.Item(value: $0, position: position, path: path) }
    }

    private mutating func scalar(_ node: DocumentNode, _ type: ValueType, _ path: String) -> (any Sendable)? {
        guard case .scalar(let text, let isPlain) = node.content else {
            problem(node.position, path, "must be \(type.name), and is \(node.kind)")
            return nil
        }
        if isPlain, type.json == [.string], type.choices.isEmpty, Self.truthWords.contains(text.lowercased()) {
            problem(node.position, path, "put the word into quotes if it is meant as a text")
            return nil
        }
        var isForeign = false
        do throws(ValueError) {
            let resolved = try references.resolve(text, for: type)
            isForeign = resolved.isForeign
            guard !resolved.text.isEmpty else { throw ValueError("is empty; leave the key out") }
            return try type.parse(resolved.text)
        } catch {
            // What a parser says may repeat what it was given, and that may be a secret.
            let own = ValueError("must be \(type.name)")
            let told = isForeign ? own : error
            problem(node.position, path, told.message, suggestion: told.suggestion)
            return nil
        }
    }

    private static let truthWords: Set<String> = ["true", "false", "yes", "no", "on", "off"]

    private mutating func list(
        _ node: DocumentNode, _ element: ValueShape, _ orSingle: Bool, _ least: Int, _ most: Int, _ path: String
    ) -> [Fields.Item]? {
        guard case .list(let nodes) = node.content else {
            guard orSingle, case .scalar = node.content else {
                problem(node.position, path, "must be a list: one '- ' line for each, or [a, b]; it is \(node.kind)")
                return nil
            }
            return value(node, element, at: node.position, path: path).map { [$0] }
        }
        guard nodes.count >= least else {
            problem(node.position, path, "is empty; leave the key out")
            return nil
        }
        guard nodes.count <= most else {
            problem(node.position, path, "has \(nodes.count) values; at most \(most) are read")
            return nil
        }
        return nodes.enumerated().compactMap { index, node in
            value(node, element, at: node.position, path: "\(path)[\(node.name ?? String(index))]")
        }
    }

    private mutating func named(
        _ node: DocumentNode, _ shape: ValueShape, _ noun: String, _ path: String
    ) -> [(name: String, item: Fields.Item)]? {
        guard case .mapping(let entries) = node.content else {
            problem(
                node.position, path, "must be a mapping from the name of a \(noun) to its keys, and is \(node.kind)")
            return nil
        }
        return entries.compactMap { entry in
            let inner = "\(path).\(entry.key)"
            if !Name.isValid(entry.key) {
                problem(entry.position, inner, "the name of a \(noun) has 1 to 64 letters, digits, '.', '_' or '-'")
            }
            return value(entry.value, shape, at: entry.position, path: inner).map { (name: entry.key, item: $0) }
        }
    }

    private mutating func short(
        _ node: DocumentNode, _ key: String, _ shape: ObjectShape, at position: TextPosition, _ path: String
    ) -> Fields? {
        guard case .scalar = node.content else { return object(node, shape, at: position, path: path) }
        guard let declaration = shape[key] else { preconditionFailure("\(shape.name) declares no \(key)") }
        var fields = Fields(shape, at: position, path: path)
        guard let item = value(node, declaration.shape, at: position, path: path) else { return nil }
        fields.items[key] = item
        return fields
    }

    private mutating func variant(
        _ node: DocumentNode, _ key: String, _ variants: [(value: String, shape: ObjectShape)],
        at position: TextPosition, _ path: String
    ) -> Fields? {
        guard case .mapping(let entries) = node.content else {
            problem(node.position, path, "must be a mapping with the key '\(key)', and is \(node.kind)")
            return nil
        }
        let values = variants.map(\.value)
        guard let chosen = entries.first(where: { $0.key == key }) else {
            problem(position, path, "'\(key)' is missing: \(values.joined(separator: ", "))")
            return nil
        }
        guard case .scalar(let text, _) = chosen.value.content,
            let variant = variants.first(where: { $0.value == text })
        else {
            let text = if case .scalar(let text, _) = chosen.value.content { text } else { "" }
            problem(
                chosen.value.position, "\(path).\(key)", "must be one of \(values.joined(separator: ", "))",
                suggestion: Nearest.of(text, in: values))
            return nil
        }
        return object(node, variant.shape, at: position, path: path)
    }
}

extension DocumentNode {
    /// What an element of a list calls itself, if that can be a name.
    fileprivate var name: String? {
        guard case .mapping(let entries) = content, let entry = entries.first(where: { $0.key == "name" }),
            case .scalar(let text, _) = entry.value.content, Name.isValid(text)
        else { return nil }
        return text
    }
}

extension ObjectShape {
    /// Where one of the objects in here has a key: `limits.rate`.
    fileprivate func path(to key: String) -> String? {
        for declaration in keys {
            if case .object(let shape) = declaration.shape, shape[key] != nil { return "\(declaration.name).\(key)" }
        }
        return nil
    }
}

/// What people may call pairs, clouds and vaults: it becomes part of file names and labels.
package enum Name {
    package static func isValid(_ name: String) -> Bool {
        name.wholeMatch(of: /[A-Za-z0-9._\-]{1,64}/) != nil && name != "." && name != ".."
    }
}
