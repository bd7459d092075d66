import HTTPStores
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension S3Store {
    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        var get = S3Request(.list, .get, key: nil)
        if let cursor = request.cursor { get.query.append("continuation-token", cursor) }
        // XML 1.0 cannot carry control characters; keys may have them.
        get.query.append("encoding-type", "url")
        get.query.append("list-type", "2")
        get.query.append("max-keys", String(min(max(request.limit, 1), 1000)))
        if !request.prefix.isEmpty { get.query.append("prefix", request.prefix.bytes) }
        if request.cursor == nil, let after = request.startAfter, !after.isEmpty {
            get.query.append("start-after", after.bytes)
        }
        // Tells which archived objects have a copy that can be read.
        if configuration.isAWS { get.headers.append("x-amz-optional-object-attributes", "RestoreStatus") }
        let response = try await send(get)
        let listing: S3Listing
        do {
            listing = try S3Listing.parse(response.body)
        } catch {
            if let document = S3ErrorDocument(response.body) {
                throw failure(S3Failure(document: document, response), get)
            }
            throw invalid(.list, nil, "the listing cannot be used: \(error)")
        }
        guard !listing.isTruncated || listing.continuation?.isEmpty == false else {
            throw invalid(.list, nil, "the listing says that it goes on and not where")
        }
        var objects = listing.objects
        var next = listing.isTruncated ? listing.continuation : nil
        if let end = request.endBefore, let last = objects.last, last.key >= end {
            objects.removeAll { $0.key >= end }
            next = nil
        }
        return ListPage(
            objects: objects, next: next,
            unlistable: listing.unversioned.map {
                ($0.description, "the server shows no strong ETag for it, so that no read of it can be pinned")
            })
    }

    /// Sessions of this page know neither the object's size nor its part size: they serve to look at an upload and to
    /// abort it.
    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        let marker = request.cursor.flatMap { UploadMarker($0) }
        var get = S3Request(.openUploads, .get, key: nil)
        get.query.append("encoding-type", "url")
        if let key = marker?.key ?? request.startAfter { get.query.append("key-marker", key.bytes) }
        get.query.append("max-uploads", String(min(max(request.limit, 1), 1000)))
        if !request.prefix.isEmpty { get.query.append("prefix", request.prefix.bytes) }
        if let upload = marker?.upload { get.query.append("upload-id-marker", upload) }
        get.query.append("uploads")
        let root = try document(try await send(get), get, named: "ListMultipartUploadsResult")
        let isEncoded = root.child("EncodingType")?.text == "url"
        func key(_ text: String) -> ObjectKey {
            isEncoded ? ObjectKey(PercentEncoding.decode(text.utf8, plusIsSpace: true)) : ObjectKey(text)
        }
        var uploads: [OpenUpload] = []
        for element in root.children("Upload") {
            guard let name = element.child("Key")?.text, let id = element.child("UploadId")?.text, !id.isEmpty else {
                throw invalid(.openUploads, nil, "an upload has no key or no id")
            }
            let algorithm = element.child("ChecksumAlgorithm").flatMap {
                S3ChecksumAlgorithm(rawValue: $0.text.lowercased())
            }
            // A clone that ignores the prefix must not lead to aborting the uploads of others.
            let key = key(name)
            guard key.hasPrefix(request.prefix) else { continue }
            let handle = S3UploadHandle(id: id, checksum: algorithm)
            let initiated =
                element.child("Initiated").flatMap { CivilTime(rfc3339: $0.text) }?.nanosecondsSince1970 ?? 0
            uploads.append(
                OpenUpload(
                    session: UploadSession(key: key, handle: handle.text, size: 0, partSize: 0),
                    initiated: initiated))
        }
        var next: String?
        if root.child("IsTruncated")?.text == "true" {
            guard let name = root.child("NextKeyMarker")?.text, !name.isEmpty else {
                throw invalid(.openUploads, nil, "the listing says that it goes on and not where")
            }
            next = UploadMarker(key: key(name), upload: root.child("NextUploadIdMarker")?.text ?? "").text
        }
        return OpenUploadsPage(uploads: uploads, next: next)
    }

    /// The document of a reply, whose root must have one of the names, Amazon's first. Amazon can end a reply that
    /// began as a success with an error.
    func document(_ response: HTTPResponse, _ request: S3Request, named names: String...) throws(StoreError)
        -> XMLElement
    {
        let root: XMLElement
        do {
            root = try XMLElement.parse(response.body)
        } catch {
            throw invalid(request.operation, request.key, "the server's \(names[0]) cannot be used: \(error)")
        }
        guard names.contains(root.name) else {
            if let document = S3ErrorDocument(root) { throw failure(S3Failure(document: document, response), request) }
            throw invalid(request.operation, request.key, "the server answered \(root.name) instead of \(names[0])")
        }
        return root
    }
}

extension S3Failure {
    /// An error document that came with a success.
    fileprivate init(document: S3ErrorDocument, _ response: HTTPResponse) {
        self.init(document: document, status: response.status, headers: response.headers)
    }
}

/// Where a listing of uploads goes on: a key and an upload of it.
private struct UploadMarker {
    var key: ObjectKey
    var upload: String

    init(key: ObjectKey, upload: String) {
        self.key = key
        self.upload = upload
    }

    init?(_ text: String) {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        key = ObjectKey(PercentEncoding.decode(halves[0].utf8))
        upload = String(halves[1])
    }

    var text: String { PercentEncoding.encode(key.bytes) + "/" + upload }
}
