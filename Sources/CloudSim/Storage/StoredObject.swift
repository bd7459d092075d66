/// One version of one object: its bytes and everything said about them.
///
/// Objects are replaced, not edited: a metadata change is a new `StoredObject` that shares the body.
package final class StoredObject {
    package let name: ObjectName
    package let body: Body
    package let attributes: ObjectAttributes

    package init(name: ObjectName, body: Body, attributes: ObjectAttributes) {
        self.name = name
        self.body = body
        self.attributes = attributes
    }

    package var size: Int { body.count }

    /// The same bytes under other attributes.
    package func with(_ change: (inout ObjectAttributes) -> Void) -> StoredObject {
        var attributes = attributes
        change(&attributes)
        return StoredObject(name: name, body: body, attributes: attributes)
    }
}

/// What a store says about an object besides its bytes. What only one cloud knows is in `extras`.
package struct ObjectAttributes: Codable, Sendable {
    /// As the front end formats it, quotes included where the cloud has them.
    package var etag: String
    package var modified: SimTime
    package var created: SimTime
    /// Rises with every write of the store: GCS generations, S3 version order.
    package var generation: Int64
    package var metageneration: Int64 = 1

    package var contentType: String?
    package var contentEncoding: String?
    package var contentLanguage: String?
    package var contentDisposition: String?
    package var cacheControl: String?
    package var expires: String?
    /// User metadata in the order given; names as the cloud stores them, without the header prefix.
    package var metadata: [MetadataItem] = []

    package var digests = BodyDigests()
    package var storageClass: String?
    /// True while the bytes need a restore before they can be read (S3 Glacier, Azure Archive).
    package var isArchived = false
    /// Parts or blocks of a multipart object, in order; empty for single uploads.
    package var parts: [StoredPart] = []
    /// S3 version id; nil in buckets without versioning.
    package var versionID: String?
    package var isDeleteMarker = false
    /// Values that one cloud alone needs, such as S3's checksum type or Azure's access tier times.
    package var extras: [String: String] = [:]

    package init(etag: String, modified: SimTime, generation: Int64) {
        self.etag = etag
        self.modified = modified
        self.created = modified
        self.generation = generation
    }
}

package struct MetadataItem: Codable, Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A part of a completed multipart object.
package struct StoredPart: Codable, Sendable {
    package var number: Int
    package var size: Int
    package var etag: String
    /// Base64 checksum values by header name, or an Azure block id under `id`.
    package var values: [String: String]

    package init(number: Int, size: Int, etag: String, values: [String: String] = [:]) {
        self.number = number
        self.size = size
        self.etag = etag
        self.values = values
    }
}
