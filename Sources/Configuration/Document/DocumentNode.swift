/// A value of the document, before anybody knows what it means.
struct DocumentNode {
    struct Entry {
        let key: String
        let position: TextPosition
        let value: DocumentNode
    }

    enum Content {
        /// Everything that is one word or one line: numbers and truth values are what their reader takes them for. `isPlain`: without quotes.
        case scalar(String, isPlain: Bool)
        case list([DocumentNode])
        case mapping([Entry])
    }

    let content: Content
    let position: TextPosition

    /// Nothing stands there, or a word for nothing.
    var isNothing: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// `a list`, for errors.
    var kind: String {
        switch content {
        case .scalar: isNothing ? "nothing" : "a single value"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}
