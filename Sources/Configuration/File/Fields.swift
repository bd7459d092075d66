/// The values of one object that are right, typed, with the places where they are written.
package struct Fields: Sendable {
    indirect enum Value: Sendable {
        case scalar(any Sendable)
        case list([Item])
        case object(Fields)
        case named([(name: String, item: Item)])
    }

    struct Item: Sendable {
        var value: Value
        /// Of the key, where there is one.
        let position: TextPosition
        let path: String
    }

    let shape: ObjectShape
    package let position: TextPosition
    package let path: String
    var items: [String: Item] = [:]

    init(_ shape: ObjectShape, at position: TextPosition, path: String) {
        self.shape = shape
        self.position = position
        self.path = path
    }

    /// What is not declared cannot be asked for: the declarations are the only list of keys.
    private func item(_ key: String) -> Item? {
        precondition(shape[key] != nil, "\(shape.name) declares no key \(key)")
        return items[key]
    }

    package func has(_ key: String) -> Bool { item(key) != nil }

    package func value<Value: Sendable>(_ key: String, as type: Value.Type = Value.self) -> Value? {
        guard let item = item(key) else { return nil }
        guard case .scalar(let value) = item.value, let typed = value as? Value else {
            preconditionFailure("\(item.path) is no \(type)")
        }
        return typed
    }

    package func list<Value: Sendable>(_ key: String, of type: Value.Type = Value.self) -> [Value] {
        elements(key).map { element in
            guard case .scalar(let value) = element.value, let typed = value as? Value else {
                preconditionFailure("\(element.path) is no \(type)")
            }
            return typed
        }
    }

    func elements(_ key: String) -> [Item] {
        guard let item = item(key) else { return [] }
        guard case .list(let elements) = item.value else { preconditionFailure("\(item.path) is no list") }
        return elements
    }

    package func objects(_ key: String) -> [Fields] {
        elements(key).map { element in
            guard case .object(let fields) = element.value else { preconditionFailure("\(element.path) is no object") }
            return fields
        }
    }

    package func object(_ key: String) -> Fields? {
        guard let item = item(key) else { return nil }
        guard case .object(let fields) = item.value else { preconditionFailure("\(item.path) is no object") }
        return fields
    }

    package func named(_ key: String) -> [(name: String, fields: Fields)] {
        guard let item = item(key) else { return [] }
        guard case .named(let entries) = item.value else { preconditionFailure("\(item.path) has no names") }
        return entries.map { entry in
            guard case .object(let fields) = entry.item.value else {
                preconditionFailure("\(item.path) has no objects")
            }
            return (entry.name, fields)
        }
    }

    /// Where a key is written, `limits.rate` meaning a key of an object; the object itself where the key is left out.
    package func place(of key: String) -> (position: TextPosition, path: String) {
        let parts = key.split(separator: ".", maxSplits: 1)
        guard let item = items[String(parts[0])] else { return (position, path.isEmpty ? key : "\(path).\(key)") }
        guard parts.count == 2 else { return (item.position, item.path) }
        guard case .object(let fields) = item.value else { return (item.position, item.path) }
        return fields.place(of: String(parts[1]))
    }

    /// Whether the object can have such a key.
    package func declares(_ key: String) -> Bool { shape[key] != nil }

    /// A problem with a key, or with the object where the key is not written.
    package func problem(with key: String?, _ message: String) -> ConfigurationProblem {
        guard let item = key.flatMap({ items[$0] }) else { return ConfigurationProblem(position, path, message) }
        return ConfigurationProblem(item.position, item.path, message)
    }

    /// What `defaults` says is added where nothing is written.
    func merged(with defaults: Fields) -> Fields {
        var merged = self
        for (key, item) in defaults.items {
            guard let own = merged.items[key] else {
                merged.items[key] = item
                continue
            }
            if shape[key]?.mergesWithDefaults == true, case .object(let mine) = own.value,
                case .object(let theirs) = item.value
            {
                merged.items[key]?.value = .object(mine.merged(with: theirs))
            }
        }
        return merged
    }
}
