/// The JSON Schema of the file, made from the declarations that reading follows.
package enum ConfigurationSchema {
    /// Draft 2020-12, with a line break at its end.
    package static var json: String {
        let shape = ConfigurationKeys(directory: "/").document
        var members: [(name: String, value: SchemaValue)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text("Lockstep configuration")),
        ]
        members += object(shape)
        members.append(("$defs", .object([("reference", reference)])))
        return SchemaValue.object(members).written() + "\n"
    }

    /// Variables stand for values of every type.
    private static let reference = SchemaValue.object([
        ("type", .text("string")), ("pattern", .text(#"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}"#)),
    ])

    private static func object(_ shape: ObjectShape) -> [(name: String, value: SchemaValue)] {
        var members: [(name: String, value: SchemaValue)] = [
            ("description", .text(shape.summary)), ("type", .text("object")), ("additionalProperties", .flag(false)),
        ]
        let required = shape.keys.filter(\.isRequired).map { SchemaValue.text($0.name) }
        if !required.isEmpty { members.append(("required", .list(required))) }
        members.append(("properties", .object(shape.keys.map { ($0.name, value($0)) })))
        if !shape.oneOf.isEmpty {
            members.append(
                ("oneOf", .list(shape.oneOf.map { .object([("required", .list([.text($0)]))]) })))
        }
        return members
    }

    private static func value(_ key: KeyDeclaration) -> SchemaValue {
        let text = key.standard.map { "\(key.summary) Default: \($0)." } ?? key.summary
        guard case .object(var members) = value(key.shape) else { preconditionFailure("a schema is an object") }
        members.removeAll { $0.name == "description" }
        return .object([("description", .text(text))] + members)
    }

    private static func value(_ shape: ValueShape) -> SchemaValue {
        switch shape {
        case .scalar(let type): return scalar(type)
        case .list(let element, let orSingle, let least, let most):
            var members: [(name: String, value: SchemaValue)] = [("type", .text("array")), ("items", value(element))]
            if least > 0 { members.append(("minItems", .number(least))) }
            members.append(("maxItems", .number(most)))
            guard orSingle else { return .object(members) }
            return .object([("anyOf", .list([value(element), .object(members)]))])
        case .object(let shape): return .object(object(shape))
        case .named(let entry, _):
            return .object([
                ("type", .text("object")),
                ("propertyNames", .object([("pattern", .text("^[A-Za-z0-9._-]{1,64}$"))])),
                ("additionalProperties", value(entry)),
            ])
        case .short(let key, let shape):
            guard let declaration = shape[key] else { preconditionFailure("\(shape.name) declares no \(key)") }
            return .object([("anyOf", .list([value(declaration.shape), .object(object(shape))]))])
        case .variants(_, let variants):
            return .object([("oneOf", .list(variants.map { .object(object($0.shape)) }))])
        }
    }

    private static func scalar(_ type: ValueType) -> SchemaValue {
        if type.isSecret { return .object([("type", .text("string")), ("pattern", .text(type.pattern ?? ""))]) }
        // What tells variants apart is written out.
        if type.choices.count == 1 { return .object([("const", .text(type.choices[0]))]) }
        if !type.choices.isEmpty {
            let truth: [SchemaValue] = type.json.contains(.boolean) ? [.flag(true), .flag(false)] : []
            return orReference(.object([("enum", .list(truth + type.choices.map { .text($0) }))]))
        }
        var members: [(name: String, value: SchemaValue)] = []
        let types = type.json.map { SchemaValue.text($0.rawValue) }
        members.append(("type", types.count == 1 ? types[0] : .list(types)))
        if let pattern = type.pattern { members.append(("pattern", .text(pattern))) }
        if let minimum = type.minimum { members.append(("minimum", .number(minimum))) }
        if let maximum = type.maximum { members.append(("maximum", .number(maximum))) }
        let plain = SchemaValue.object(members)
        // A text may hold references anyway.
        return type.json.contains(.string) && type.pattern == nil ? plain : orReference(plain)
    }

    private static func orReference(_ schema: SchemaValue) -> SchemaValue {
        .object([("anyOf", .list([schema, .object([("$ref", .text("#/$defs/reference"))])]))])
    }
}
