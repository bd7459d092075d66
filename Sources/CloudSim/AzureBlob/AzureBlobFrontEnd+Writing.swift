import NIOHTTP1

extension AzureBlobFrontEnd {
    private static let mebibyte = 1 << 20

    private static func isRecent(_ request: AzureRequest) -> Bool { request.version >= "2019-12-12" }

    private static func maximumPutBlob(_ request: AzureRequest) -> Int {
        (isRecent(request) ? 5_000 : 256) * mebibyte
    }

    static func maximumBlock(_ request: AzureRequest) -> Int {
        (isRecent(request) ? 4_000 : 100) * mebibyte
    }

    func startPutBlob(_ call: AzureCall) throws {
        let request = call.request
        let bucket = try container(request)
        let name = try blobName(request)
        guard let type = request.header("x-ms-blob-type") else { throw AzureError.missingHeader("x-ms-blob-type") }
        guard type == "BlockBlob" else {
            if type == "PageBlob" || type == "AppendBlob" { throw AzureError.notSimulated("\(type) blobs") }
            throw AzureError.invalidHeader("x-ms-blob-type", type)
        }
        let template = try attributes(from: request, contentHeadersCount: true)
        let conditions = try AzureConditions(request)
        let upload = try AzureUpload(
            request, limit: Self.maximumPutBlob(request), md5Headers: ["content-md5", "x-ms-blob-content-md5"],
            computesMD5: services.configuration.etag == .md5, storage: services.storage)
        call.exchange.streamBody(to: upload.sink) { result in
            self.complete(call) {
                _ = try result.get()
                let (body, digests) = try upload.finish()
                var attributes = template
                attributes.digests = digests
                let blob = try self.install(name, body, attributes, in: bucket, conditions)
                var response = Response(.created, headers: Self.validators(of: blob))
                upload.addHeaders(digests, md5: true, to: &response)
                AzureEncryptionScope(attributes)?.addHeader(to: &response.headers)
                return response
            }
        }
    }

    /// The attributes that a request gives to the blob it makes. ETag and times are set when it is installed.
    /// - Parameter contentHeadersCount: whether `Content-Type` and its like describe the blob where no `x-ms-blob-` header does.
    func attributes(from request: AzureRequest, contentHeadersCount: Bool) throws(AzureError) -> ObjectAttributes {
        let now = services.clock.now
        var attributes = ObjectAttributes(etag: "", modified: now, generation: 0)
        func content(_ name: String) -> String? {
            request.header("x-ms-blob-\(name)") ?? (contentHeadersCount ? request.header(name) : nil)
        }
        attributes.contentType = content("content-type") ?? Self.defaultContentType
        attributes.contentEncoding = content("content-encoding")
        attributes.contentLanguage = content("content-language")
        attributes.cacheControl = content("cache-control")
        attributes.contentDisposition = request.header("x-ms-blob-content-disposition")
        try AzureNames.checkMetadata(request.metadata)
        attributes.metadata = request.metadata
        AzureTier.set(try AzureTier.requested(request), &attributes, now: now)
        try AzureTags(request)?.store(in: &attributes)
        try AzureEncryptionScope(request)?.store(in: &attributes)
        for unsupported in [
            "x-ms-encryption-key", "x-ms-legal-hold", "x-ms-immutability-policy-until-date",
        ]
        where request.header(unsupported) != nil {
            throw .notSimulated(unsupported)
        }
        return attributes
    }

    /// Makes a new current blob, if the conditions hold; blocks that wait for a commit are dropped.
    func install(
        _ name: ObjectName, _ body: Body, _ attributes: ObjectAttributes, in bucket: Bucket,
        _ conditions: AzureConditions
    ) throws -> StoredObject {
        // A container may have gone while the body arrived.
        guard services.storage.bucket(bucket.name) === bucket else { throw AzureError.containerNotFound }
        let existing = bucket.object(name)
        try conditions.checkWrite(existing, creates: true)
        try checkLease(conditions, on: name, in: bucket)
        if let existing, existing.attributes.isArchived, attributes.storageClass == nil {
            throw AzureError.blobArchived
        }
        var attributes = attributes
        attributes.generation = services.storage.nextGeneration()
        attributes.etag = newETag()
        attributes.modified = services.clock.now
        attributes.created = existing?.attributes.created ?? attributes.modified
        let blob = StoredObject(name: name, body: body, attributes: attributes)
        try bucket.put(blob)
        state(of: bucket).dropBlocks(of: name)
        return blob
    }

    static func validators(of blob: StoredObject) -> HTTPHeaders {
        ["ETag": blob.attributes.etag, "Last-Modified": blob.attributes.modified.httpDate]
    }
}
