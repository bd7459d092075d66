import Digests
import NIOCore
import NIOHTTP1
import XMLStreaming

// Operations that change what is said of a blob, or whether it is there, but not its bytes.
extension AzureBlobFrontEnd {
    private static let maximumTagsDocument = 64 << 10

    func deleteBlob(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let name = try blobName(request)
        let state = state(of: bucket)
        let conditions = try AzureConditions(request)
        if let id = request.parameter("snapshot") {
            let target = try blob(request)
            try conditions.checkWrite(target, creates: false)
            state.snapshots[name]?.removeAll { $0.id == id }
            return Self.deleted
        }
        if request.parameter("versionid") != nil { throw AzureError.notSimulated("blob versions (versionid)") }
        guard let existing = bucket.object(name) else { throw AzureError.blobNotFound }
        try conditions.checkWrite(existing, creates: false)
        try checkLease(conditions, on: name, in: bucket)
        let hasSnapshots = !(state.snapshots[name] ?? []).isEmpty
        switch request.header("x-ms-delete-snapshots")?.lowercased() {
        case nil:
            if hasSnapshots { throw AzureError.snapshotsPresent }
            bucket.remove(name)
        case "include":
            state.snapshots[name] = nil
            bucket.remove(name)
        case "only": state.snapshots[name] = nil
        case let other?: throw AzureError.invalidHeader("x-ms-delete-snapshots", other)
        }
        return Self.deleted
    }

    private static var deleted: Response { Response(.accepted, headers: ["x-ms-delete-type-permanent": "true"]) }

    func setMetadata(_ request: AzureRequest) throws -> Response {
        try AzureNames.checkMetadata(request.metadata)
        let blob = try change(request) { $0.metadata = request.metadata }
        var response = Response(.ok, headers: Self.validators(of: blob))
        response.headers.add(name: "x-ms-request-server-encrypted", value: "true")
        return response
    }

    /// Sets all content headers: what the request leaves out is cleared, the stored MD5 included.
    func setProperties(_ request: AzureRequest) throws -> Response {
        let md5 = try request.header("x-ms-blob-content-md5").map { try AzureChecksum.md5($0) }
        let blob = try change(request) { attributes in
            attributes.contentType = request.header("x-ms-blob-content-type")
            attributes.contentEncoding = request.header("x-ms-blob-content-encoding")
            attributes.contentLanguage = request.header("x-ms-blob-content-language")
            attributes.contentDisposition = request.header("x-ms-blob-content-disposition")
            attributes.cacheControl = request.header("x-ms-blob-cache-control")
            attributes.digests.md5 = md5
        }
        return Response(.ok, headers: Self.validators(of: blob))
    }

    /// Changes the attributes of the current blob, which gives it a new ETag and time.
    private func change(_ request: AzureRequest, _ edit: (inout ObjectAttributes) throws -> Void) throws -> StoredObject
    {
        let bucket = try container(request)
        let existing = try blob(request)
        let conditions = try AzureConditions(request)
        try conditions.checkWrite(existing, creates: false)
        try checkLease(conditions, on: existing.name, in: bucket)
        guard !existing.attributes.isArchived else { throw AzureError.blobArchived }
        var attributes = existing.attributes
        try edit(&attributes)
        attributes.etag = newETag()
        attributes.modified = services.clock.now
        attributes.metageneration += 1
        let changed = StoredObject(name: existing.name, body: existing.body, attributes: attributes)
        try bucket.update(changed)
        return changed
    }

    /// The ETag stays: a tier says nothing of the content.
    func setTier(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let existing = try blob(request)
        guard let tier = try AzureTier.requested(request) else { throw AzureError.missingHeader("x-ms-access-tier") }
        var attributes = existing.attributes
        let isPending = try AzureTier.change(
            to: tier, priority: request.header("x-ms-rehydrate-priority"), &attributes, now: services.clock.now)
        try bucket.update(StoredObject(name: existing.name, body: existing.body, attributes: attributes))
        return Response(isPending ? .accepted : .ok)
    }

    func snapshot(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let existing = try blob(request)
        try AzureConditions(request).checkWrite(existing, creates: false)
        try AzureNames.checkMetadata(request.metadata)
        let state = state(of: bucket)
        let id = snapshotID(after: state.snapshots[existing.name]?.last?.id)
        let copy = existing.with { if !request.metadata.isEmpty { $0.metadata = request.metadata } }
        state.snapshots[existing.name, default: []].append(AzureSnapshot(id: id, blob: copy))
        var response = Response(.created, headers: Self.validators(of: existing))
        response.headers.add(name: "x-ms-snapshot", value: id)
        return response
    }

    /// `2027-01-01T00:00:00.0000000Z`, later than `previous`.
    private func snapshotID(after previous: String?) -> String {
        var now = services.clock.now
        while true {
            let fraction = String((now.nanoseconds - now.seconds * 1_000_000_000) / 100)
            let digits = String(repeating: "0", count: 7 - fraction.utf8.count) + fraction
            let id = "\(now.iso8601Seconds.dropLast()).\(digits)Z"
            if previous.map({ id > $0 }) ?? true { return id }
            now.nanoseconds += 100
        }
    }

    func getTags(_ request: AzureRequest) throws -> Response {
        let blob = try blob(request)
        var xml = AzureXML()
        if let tags = AzureTags(blob.attributes) {
            tags.append(to: &xml)
        } else {
            xml.append(markup: "<Tags><TagSet /></Tags>")
        }
        return Response(.ok, contentType: "application/xml", bytes: ByteBuffer(bytes: xml.bytes))
    }

    /// Tags are no part of what the ETag stands for.
    func startSetTags(_ call: AzureCall) throws {
        let bucket = try container(call.request)
        _ = try blob(call.request)
        call.exchange.collectBody(limit: Self.maximumTagsDocument) { result in
            self.complete(call) {
                let document = try result.get().withUnsafeReadableBytes { bytes in
                    do { return try XMLElement.parse(bytes) } catch is XMLError { throw AzureError.invalidXML }
                }
                let items = document.child("TagSet")?.children("Tag") ?? []
                let tags = try AzureTags(items.map { ($0.child("Key")?.text ?? "", $0.child("Value")?.text ?? "") })
                let existing = try self.blob(call.request)
                try bucket.update(existing.with { tags.store(in: &$0) })
                return Response(.noContent)
            }
        }
    }
}
