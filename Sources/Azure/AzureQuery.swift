import HTTPStores

/// Query parameters as they are signed (decoded, sorted by name) and sent (encoded).
package struct AzureQuery: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var items: [(name: String, value: String)] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// Parameters are appended in the order of their names, which are lower-case letters.
    package mutating func append(_ name: String, _ value: String) {
        precondition(
            items.last.map { $0.name < name } ?? true, "query parameters must be appended in the order of their names")
        items.append((name, value))
    }

    /// Encoded, without a question mark.
    package var text: String {
        var text = ""
        for (name, value) in items {
            if !text.isEmpty { text += "&" }
            text += name
            text += "="
            text += PercentEncoding.encode(value)
        }
        return text
    }
}
