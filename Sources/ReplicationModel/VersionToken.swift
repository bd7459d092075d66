/// What pins one version of one object in one store.
///
/// Opaque outside the store that made it: S3 writes its ETag without quotes, GCS `generation/metageneration`, Azure its ETag without
/// quotes, files `inode.size.mtime.ctime`. Two equal tokens of one key mean the same bytes; a token is never a digest.
package struct VersionToken: Hashable, Sendable, Codable, CustomStringConvertible {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }

    package var description: String { text }

    package init(from decoder: any Decoder) throws {
        self.text = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
