/// A multipart upload that is neither completed nor aborted (S3 and the XML API of GCS). Not kept across restarts.
package final class PendingUpload {
    package let id: String
    package let name: ObjectName
    package let started: SimTime
    /// The attributes that the object will have; etag, time and digests are set on completion.
    package let attributes: ObjectAttributes
    package var parts: [Int: UploadedPart] = [:]

    package init(id: String, name: ObjectName, started: SimTime, attributes: ObjectAttributes) {
        self.id = id
        self.name = name
        self.started = started
        self.attributes = attributes
    }

    package var sortedPartNumbers: [Int] { parts.keys.sorted() }
}

package struct UploadedPart {
    package var body: Body
    package var digests: BodyDigests
    package var etag: String
    package var modified: SimTime

    package init(body: Body, digests: BodyDigests, etag: String, modified: SimTime) {
        self.body = body
        self.digests = digests
        self.etag = etag
        self.modified = modified
    }
}
