import Foundation

/// The JSON of a vault: one line, names in order, so that the same content gives the same bytes.
enum VaultJSON {
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try Array(encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("a vault's own values can be encoded: \(error)")
        }
    }

    /// `name`: the object that the bytes are of, for the error.
    static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: some Collection<UInt8>, name: String
    ) throws(VaultError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw VaultError(.damaged, object: name, "its content is not valid: \(reason(error))")
        }
    }

    /// Where decoding stopped, without the content.
    private static func reason(_ error: any Error) -> String {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        return switch error as? DecodingError {
        case .keyNotFound(let key, let context): "\(key.stringValue) is missing in \(place(context))"
        case .typeMismatch(_, let context), .valueNotFound(_, let context): "\(place(context)) is of another kind"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty: "\(place(context)) is not valid"
        default: "it is no JSON"
        }
    }
}
