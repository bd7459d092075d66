import Cryptography
import Digests
import NIOCore
import NIOHTTP1

extension AzureBlobFrontEnd {
    /// What a blob has that was given no content type.
    static let defaultContentType = "application/octet-stream"

    /// Longer ranges are answered without a checksum of their own: the service refuses to compute it.
    private static let maximumCheckedRange = 4 << 20

    /// The blob a request names, without its snapshots; nil when there is none or no container.
    func currentBlob(_ request: AzureRequest) -> StoredObject? {
        guard let container = request.container, let name = request.blob else { return nil }
        return services.storage.bucket(storageName(request.account, container))?.object(name)
    }

    /// The blob or the snapshot that a request names.
    func blob(_ request: AzureRequest) throws(AzureError) -> StoredObject {
        let bucket = try container(request)
        let name = try blobName(request)
        if request.parameter("versionid") != nil { throw .notSimulated("blob versions (versionid)") }
        if let id = request.parameter("snapshot") {
            guard let snapshot = state(of: bucket).snapshots[name]?.first(where: { $0.id == id }) else {
                throw .blobNotFound
            }
            return snapshot.blob
        }
        guard let blob = bucket.object(name) else { throw .blobNotFound }
        return blob
    }

    func blobName(_ request: AzureRequest) throws(AzureError) -> ObjectName {
        guard let name = request.blob else { throw .invalidURI }
        try AzureNames.checkBlob(name)
        return name
    }

    func getBlob(_ request: AzureRequest) throws -> Response {
        let blob = try blob(request)
        try AzureConditions(request).checkRead(blob)
        guard !blob.attributes.isArchived else { throw AzureError.blobArchived }
        let range = try AzureRange(request, size: blob.size)
        let wantsMD5 = try request.flag("x-ms-range-get-content-md5")
        let wantsCRC64 = try request.flag("x-ms-range-get-content-crc64")
        try Self.checkRangeChecksums(range, md5: wantsMD5, crc64: wantsCRC64)

        var response = Response(range == nil ? .ok : .partialContent, headers: try headers(of: blob, request))
        let content = range.map { blob.body.slice($0.bytes) } ?? blob.body
        if let range {
            response.headers.add(name: "Content-Range", value: range.header(size: blob.size))
            if let md5 = blob.attributes.digests.md5 {
                response.headers.add(name: "x-ms-blob-content-md5", value: Base64.encode(md5))
            }
            if wantsMD5 { response.headers.add(name: "Content-MD5", value: Base64.encode(try md5(of: content))) }
            if wantsCRC64 {
                response.headers.add(name: "x-ms-content-crc64", value: AzureChecksum.text(try crc64(of: content)))
            }
        } else if let md5 = blob.attributes.digests.md5 {
            response.headers.add(name: "Content-MD5", value: Base64.encode(md5))
        }
        if let form = request.header("x-ms-structured-body") {
            try Self.checkStructuredForm(form, request)
            response.headers.add(name: "x-ms-structured-body", value: StructuredMessage.headerValue)
            response.headers.add(name: "x-ms-structured-content-length", value: String(content.count))
            response.body = try StructuredMessage.encode(content)
        } else {
            response.body = content
        }
        return response
    }

    func getBlobProperties(_ request: AzureRequest) throws -> Response {
        let blob = try blob(request)
        try AzureConditions(request).checkRead(blob)
        var response = Response(.ok, headers: try headers(of: blob, request))
        response.declaredLength = blob.size
        if let md5 = blob.attributes.digests.md5 {
            response.headers.add(name: "Content-MD5", value: Base64.encode(md5))
        }
        let tier = AzureTier(blob.attributes)
        response.headers.add(name: "x-ms-access-tier", value: tier.name)
        if tier.isInferred { response.headers.add(name: "x-ms-access-tier-inferred", value: "true") }
        if let status = tier.archiveStatus { response.headers.add(name: "x-ms-archive-status", value: status) }
        if let priority = tier.rehydratePriority {
            response.headers.add(name: "x-ms-rehydrate-priority", value: priority)
        }
        if let time = tier.changed { response.headers.add(name: "x-ms-access-tier-change-time", value: time.httpDate) }
        return response
    }

    private static func checkRangeChecksums(_ range: AzureRange?, md5: Bool, crc64: Bool) throws(AzureError) {
        guard md5 || crc64 else { return }
        let name = md5 ? "x-ms-range-get-content-md5" : "x-ms-range-get-content-crc64"
        guard let range, !(md5 && crc64) else { throw .invalidHeader(name, "true") }
        guard range.bytes.count <= maximumCheckedRange else {
            throw .outOfRangeInput("The checksum of a range is computed up to 4 MiB.")
        }
    }

    static func checkStructuredForm(_ form: String, _ request: AzureRequest) throws(AzureError) {
        guard form == StructuredMessage.headerValue, request.version >= AzureVersion.structuredBodies else {
            throw .invalidHeader("x-ms-structured-body", form)
        }
    }

    private func md5(of body: Body) throws -> [UInt8] {
        var digest = MD5()
        try body.forEachPiece { digest.update($0) }
        return digest.finalize()
    }

    func crc64(of body: Body) throws -> UInt64 {
        var checksum: UInt64 = 0
        try body.forEachPiece { checksum = CRC64NVME.update(checksum, $0) }
        return checksum
    }

    /// The headers that GET and HEAD have in common.
    private func headers(of blob: StoredObject, _ request: AzureRequest) throws(AzureError) -> HTTPHeaders {
        let attributes = blob.attributes
        var headers = HTTPHeaders()
        headers.reserveCapacity(28)
        headers.add(name: "ETag", value: attributes.etag)
        headers.add(name: "Last-Modified", value: attributes.modified.httpDate)
        headers.add(name: "x-ms-creation-time", value: attributes.created.httpDate)
        headers.add(name: "Accept-Ranges", value: "bytes")
        headers.add(name: "x-ms-blob-type", value: "BlockBlob")
        let lease = try state(of: container(request)).lease(on: blob.name, now: services.clock.now)
        headers.add(name: "x-ms-lease-status", value: lease == nil ? "unlocked" : "locked")
        headers.add(name: "x-ms-lease-state", value: lease == nil ? "available" : "leased")
        if let lease {
            headers.add(name: "x-ms-lease-duration", value: lease.seconds == nil ? "infinite" : "fixed")
        }
        headers.add(name: "x-ms-server-encrypted", value: "true")
        AzureEncryptionScope(attributes)?.addHeader(to: &headers)
        let overrides = try AzureSAS.overrides(request)
        func add(_ name: String, _ stored: String?) {
            let overridden = overrides.first { $0.name == name.lowercased() }?.value
            if let value = overridden ?? stored { headers.add(name: name, value: value) }
        }
        add("Content-Type", attributes.contentType ?? Self.defaultContentType)
        add("Content-Encoding", attributes.contentEncoding)
        add("Content-Language", attributes.contentLanguage)
        add("Content-Disposition", attributes.contentDisposition)
        add("Cache-Control", attributes.cacheControl)
        for item in attributes.metadata { headers.add(name: "x-ms-meta-\(item.name)", value: item.value) }
        if let count = AzureTags(attributes)?.count { headers.add(name: "x-ms-tag-count", value: String(count)) }
        if let copy = AzureCopyRecord(attributes) {
            headers.add(name: "x-ms-copy-id", value: copy.id)
            headers.add(name: "x-ms-copy-source", value: copy.source)
            headers.add(name: "x-ms-copy-status", value: "success")
            headers.add(name: "x-ms-copy-progress", value: copy.progress)
            headers.add(name: "x-ms-copy-completion-time", value: copy.completed.httpDate)
        }
        return headers
    }
}
