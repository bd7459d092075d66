import Foundation
package import ReplicationModel

/// An object's attributes as JSON text with a fixed order of fields: made once per copy, and rarely read again.
package struct EncodedAttributes: Sendable, Hashable {
    package let json: String

    /// Text that `json` of another value gave; it is not looked at until `decoded`.
    package init(json: String) {
        self.json = json
    }

    package init(_ attributes: ObjectAttributes) {
        var text = JSONText()
        text.beginObject()
        text.field("cache_control", attributes.cacheControl)
        text.field("content_disposition", attributes.contentDisposition)
        text.field("content_encoding", attributes.contentEncoding)
        text.field("content_language", attributes.contentLanguage)
        text.field("content_type", attributes.contentType)
        if !attributes.userMetadata.isEmpty {
            text.name("metadata")
            text.beginObject()
            for (name, value) in attributes.userMetadata.sorted(by: { $0.key < $1.key }) { text.field(name, value) }
            text.endObject()
        }
        text.endObject()
        json = text.string
    }

    /// Throws when the text is not what `init` writes.
    package func decoded() throws -> ObjectAttributes {
        let fields = try JSONDecoder().decode(Fields.self, from: Data(json.utf8))
        return ObjectAttributes(
            contentType: fields.contentType, contentEncoding: fields.contentEncoding,
            contentLanguage: fields.contentLanguage, contentDisposition: fields.contentDisposition,
            cacheControl: fields.cacheControl, userMetadata: fields.metadata ?? [:])
    }

    private struct Fields: Decodable {
        var cacheControl: String?
        var contentDisposition: String?
        var contentEncoding: String?
        var contentLanguage: String?
        var contentType: String?
        var metadata: [String: String]?

        enum CodingKeys: String, CodingKey {
            case cacheControl = "cache_control"
            case contentDisposition = "content_disposition"
            case contentEncoding = "content_encoding"
            case contentLanguage = "content_language"
            case contentType = "content_type"
            case metadata
        }
    }
}
