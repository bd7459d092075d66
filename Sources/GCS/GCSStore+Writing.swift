import Cryptography
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension GCSStore {
    /// One `multipart/related` request: the resource with the checksum to verify, then the bytes.
    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try requireValid(request.key, .put)
        let attributes = try fitting(request.attributes, .put, request.key)
        var url = address.insert(request.key, uploadType: "multipart")
        try url.append(request.condition, .put, key: request.key)
        url.appendIfPresent("kmsKeyName", configuration.kmsKeyName)
        url.append("fields", plain: GCSResource.receiptFields)
        var post = GCSRequest(.put, .post, url, key: request.key)
        // Nobody can put into an object what ends its part: the boundary is known only now.
        let boundary = Hex.encode(SecureRandom.bytes(16))
        post.headers.append("content-type", "multipart/related; boundary=\(boundary)")
        var preamble = Array("--\(boundary)\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".utf8)
        preamble += try GCSNewResource(attributes, digest: request.digest).json(.put, key: request.key)
        let type = attributes.contentType.flatMap { Self.isHeaderText($0) ? $0 : nil } ?? GCSResource.absentContentType
        preamble += "\r\n--\(boundary)\r\nContent-Type: \(type)\r\n\r\n".utf8
        var segments: [HTTPBody.Segment] = [.bytes(preamble)]
        if let body = request.body { segments.append(.slice(body)) }
        segments.append(.bytes(Array("\r\n--\(boundary)--\r\n".utf8)))
        post.body = HTTPBody(segments)
        let response = try await sendWrite(post, under: request.condition)
        return receipt(try decode(GCSResource.self, response, post), sent: request.digest)
    }

    /// What a write returns. The server has compared the checksum that was sent with what it received.
    func receipt(_ resource: GCSResource, sent digest: ContentDigest?) -> WriteReceipt {
        let agrees = digest.flatMap { resource.checksums.agrees(with: ObjectChecksums(crc32c: $0.crc32c)) }
        return WriteReceipt(
            version: resource.version.token, checksums: resource.checksums, bytesVerified: agrees ?? false)
    }

    /// Sends a conditional write. A version that must be there and is not is a failed condition, not a missing object.
    func sendWrite(_ request: GCSRequest, under condition: WriteCondition) async throws(StoreError) -> HTTPResponse {
        do throws(StoreError) {
            return try await send(request)
        } catch {
            guard case .matches = condition, error.code == .notFound else { throw error }
            var error = error
            error.code = .preconditionFailed
            error.message = "the object that was to be replaced is gone"
            throw error
        }
    }

    /// Refuses names before anything is sent: what is no UTF-8 could arrive as another name.
    func requireValid(_ key: ObjectKey, _ operation: StoreOperation) throws(StoreError) {
        if let problem = rules.problem(with: key) {
            throw StoreError(.invalidKey, operation, key: key, message: problem)
        }
    }

    /// The attributes as Cloud Storage keeps them; those that it cannot hold must have been dropped, and reported,
    /// before.
    func fitting(_ attributes: ObjectAttributes, _ operation: StoreOperation, _ key: ObjectKey) throws(StoreError)
        -> ObjectAttributes
    {
        let (kept, dropped) = rules.fit(attributes)
        guard dropped.isEmpty else {
            throw StoreError(
                .unsupportedObject, operation, key: key,
                message: "Cloud Storage cannot hold these attributes: "
                    + dropped.map { ObjectKey($0).description }.joined(separator: ", "))
        }
        return kept
    }

    /// Printable ASCII without blanks at the ends: what a header field carries unchanged.
    static func isHeaderText(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.first != 0x20
            && text.utf8.last != 0x20
    }
}
