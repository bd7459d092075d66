import Digests
import NIOHTTP1

extension AzureBlobFrontEnd {
    private static let maximumSynchronousCopy = 256 << 20
    private static let maximumPutFromURL = 5_000 << 20

    /// Copy Blob, and Copy Blob From URL when the client asks to wait: both are done when they are answered.
    func copyBlob(_ request: AzureRequest, isSynchronous: Bool) throws -> Response {
        let bucket = try container(request)
        let name = try blobName(request)
        let conditions = try AzureConditions(request)
        let source = try copySource(request, takesAccountKey: !isSynchronous)
        let tier = try AzureTier.requested(request)
        // A copy to another tier is the second way out of the archive.
        if !(source.blob.attributes.isArchived && tier != nil && tier != "Archive") {
            _ = try source.content(request, limit: isSynchronous ? Self.maximumSynchronousCopy : .max)
        }
        var attributes = try copied(source.blob.attributes, request)
        attributes.storageClass = nil
        attributes.isArchived = false
        AzureTier.set(tier, &attributes, now: services.clock.now)
        let record = AzureCopyRecord(
            id: randomUUID(), source: source.url, count: source.blob.size, completed: services.clock.now)
        record.store(in: &attributes)
        let blob = try install(name, source.blob.body, attributes, in: bucket, conditions)
        var response = Response(.accepted, headers: Self.validators(of: blob))
        response.headers.add(name: "x-ms-copy-id", value: record.id)
        response.headers.add(name: "x-ms-copy-status", value: "success")
        AzureEncryptionScope(attributes)?.addHeader(to: &response.headers)
        if isSynchronous {
            response.headers.add(
                name: "x-ms-content-crc64", value: AzureChecksum.text(try crc64(of: source.blob.body)))
            if let md5 = attributes.digests.md5 {
                response.headers.add(name: "Content-MD5", value: Base64.encode(md5))
            }
        }
        return response
    }

    /// Put Blob From URL: a new blob with the source's bytes, and its content headers unless the request says otherwise.
    func putBlobFromURL(_ request: AzureRequest) throws -> Response {
        guard request.header("x-ms-blob-type") == "BlockBlob" else {
            throw AzureError.notSimulated("Put Blob From URL for blobs that are no block blobs")
        }
        let bucket = try container(request)
        let name = try blobName(request)
        let conditions = try AzureConditions(request)
        let source = try copySource(request, takesAccountKey: false)
        let content = try source.content(request, limit: Self.maximumPutFromURL)
        var attributes = try attributes(from: request, contentHeadersCount: false)
        let original = source.blob.attributes
        if try request.header("x-ms-copy-source-blob-properties") == nil
            || request.flag("x-ms-copy-source-blob-properties")
        {
            attributes.contentType = request.header("x-ms-blob-content-type") ?? original.contentType
            attributes.contentEncoding = attributes.contentEncoding ?? original.contentEncoding
            attributes.contentLanguage = attributes.contentLanguage ?? original.contentLanguage
            attributes.contentDisposition = attributes.contentDisposition ?? original.contentDisposition
            attributes.cacheControl = attributes.cacheControl ?? original.cacheControl
        }
        attributes.digests.md5 =
            try request.header("x-ms-blob-content-md5").map { try AzureChecksum.md5($0) } ?? original.digests.md5
        let blob = try install(name, content, attributes, in: bucket, conditions)
        var response = Response(.created, headers: Self.validators(of: blob))
        response.headers.add(name: "x-ms-content-crc64", value: AzureChecksum.text(try crc64(of: content)))
        if let md5 = attributes.digests.md5 { response.headers.add(name: "Content-MD5", value: Base64.encode(md5)) }
        response.headers.add(name: "x-ms-request-server-encrypted", value: "true")
        return response
    }

    /// What a copy takes over: everything, but the request's metadata replaces the source's, and tags come on request only.
    private func copied(_ source: ObjectAttributes, _ request: AzureRequest) throws(AzureError) -> ObjectAttributes {
        var attributes = source
        try AzureNames.checkMetadata(request.metadata)
        if !request.metadata.isEmpty { attributes.metadata = request.metadata }
        attributes.extras = [:]
        if request.header("x-ms-copy-source-tag-option")?.uppercased() == "COPY" {
            AzureTags(source)?.store(in: &attributes)
        }
        try AzureTags(request)?.store(in: &attributes)
        try AzureEncryptionScope(request)?.store(in: &attributes)
        return attributes
    }

    /// An id in the form of a UUID.
    func randomUUID() -> String {
        let digits = Array(Hex.encode(services.storage.randomBytes(16)))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
        return groups.map { String(digits[$0]) }.joined(separator: "-")
    }
}
