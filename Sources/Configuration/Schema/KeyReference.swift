/// The manual's table of keys, made from the declarations that reading follows.
package enum KeyReference {
    /// One table row a key: its path, what it takes, what counts without it, and what it means.
    package static var markdown: String {
        let rows = rows(of: ConfigurationKeys(directory: "/").document, path: "")
        return (["| Key | Value | Without it | Meaning |", "|---|---|---|---|"] + rows).joined(separator: "\n") + "\n"
    }

    private static func rows(of shape: ObjectShape, path: String) -> [String] {
        shape.keys.flatMap { key -> [String] in
            let inner = path + key.name
            let standard = key.isRequired ? "required" : key.standard.map { escaped($0) } ?? ""
            let row = "| `\(inner)` | \(escaped(name(of: key.shape))) | \(standard) | \(escaped(key.summary)) |"
            return [row] + below(key, inner)
        }
    }

    /// What `defaults` repeats is told once, of pairs.
    private static func below(_ key: KeyDeclaration, _ path: String) -> [String] {
        guard key.name != "defaults" else { return [] }
        return below(key.shape, path)
    }

    private static func below(_ shape: ValueShape, _ path: String) -> [String] {
        switch shape {
        case .scalar: []
        case .list(let element, _, _, _): below(element, path + "[]")
        case .object(let object): rows(of: object, path: path + ".")
        case .named(let entry, let noun): below(entry, "\(path).\(noun.uppercased())")
        case .short(_, let object): rows(of: object, path: path + ".")
        case .variants(let key, let variants):
            variants.flatMap { variant in
                rows(of: variant.shape, path: path + ".").map { row in
                    row.replacing("| `\(path).", with: "| \(key) `\(variant.value)`: `\(path).", maxReplacements: 1)
                }
            }
        }
    }

    private static func name(of shape: ValueShape) -> String {
        switch shape {
        case .scalar(let type): type.name
        case .list(let element, let orSingle, _, _): orSingle ? "\(name(of: element)), or a list" : "list"
        case .object: "mapping"
        case .named(_, let noun): "mapping from the name of a \(noun)"
        case .short(let key, let object): "\(object[key].map { name(of: $0.shape) } ?? key), or a mapping"
        case .variants: "mapping"
        }
    }

    private static func escaped(_ text: String) -> String { text.replacing("|", with: "\\|") }
}
