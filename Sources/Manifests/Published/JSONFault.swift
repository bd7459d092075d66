import ReplicationModel

/// What is wrong with one JSON document, without where it is.
struct JSONFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// In a few words and without the document's own, which may be hostile.
    static func describe(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context): "has no \(path(context.codingPath + [key]))"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "has a wrong type at \(path(context.codingPath))"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            "has a wrong value at \(path(context.codingPath))"
        case let fault as JSONFault: fault.description
        default: "is not readable as JSON: broken, nested too deeply, or with a number out of range"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        let text = keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        return "\(ObjectKey(String(text.prefix(100))))"
    }
}
