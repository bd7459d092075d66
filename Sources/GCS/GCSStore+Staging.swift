import Buffers
import Digests
import HTTPTransport
import ObjectStores
import ReplicationModel
import XMLStreaming

/// Multipart uploads of the XML API: parts in parallel under a temporary name, then one move to the object's own.
extension GCSStore {
    func beginMultipart(_ request: UploadRequest, _ attributes: ObjectAttributes) async throws(StoreError)
        -> UploadSession
    {
        let staging = GCSStaging.key(for: request.key)
        var url = address.xmlObject(staging)
        url.append("uploads", plain: "")
        var post = GCSRequest(.beginUpload, .post, url, key: request.key)
        if attributes.fitsHeaders { post.headers.append(attributes) }
        post.headers.appendIfPresent("x-goog-encryption-kms-key-name", configuration.kmsKeyName)
        let root = try document(try await send(post), post, named: "InitiateMultipartUploadResult")
        guard let id = root.child("UploadId")?.text, !id.isEmpty else {
            throw invalid(.beginUpload, request.key, "the server opened an upload without an id")
        }
        return UploadSession(
            key: request.key, handle: GCSUploadHandle.multipart(id: id).text, stagingKey: staging, size: request.size,
            partSize: request.partSize)
    }

    func uploadMultipart(
        _ part: PartRequest, _ id: String, _ staging: ObjectKey, of session: UploadSession
    ) async throws(StoreError) -> PartReceipt {
        var url = address.xmlObject(staging)
        url.append("partNumber", plain: String(part.number))
        url.append("uploadId", id)
        var put = GCSRequest(.uploadPart, .put, url, key: session.key)
        put.headers.appendHash(of: part.digest)
        put.body = .slice(part.body)
        let response = try await sendToUpload(put)
        guard let tag = response.headers["etag"], !tag.isEmpty else {
            throw invalid(.uploadPart, session.key, "the reply to a part has no ETag")
        }
        if ObjectChecksums(goog: response.headers).agrees(with: ObjectChecksums(crc32c: part.digest.crc32c)) == false {
            throw StoreError(
                .checksumMismatch, .uploadPart, key: session.key,
                message: "the server's checksum of part \(part.number) differs from the one sent", retry: .transient)
        }
        return PartReceipt(number: part.number, size: Int64(part.body.count), tag: tag, digest: part.digest)
    }

    func listMultipart(_ id: String, _ staging: ObjectKey, of session: UploadSession) async throws(StoreError)
        -> [UploadedPart]
    {
        var parts: [UploadedPart] = []
        while true {
            var url = address.xmlObject(staging)
            url.append("uploadId", id)
            url.append("max-parts", plain: "1000")
            if let last = parts.last { url.append("part-number-marker", plain: String(last.number)) }
            let get = GCSRequest(.listParts, .get, url, key: session.key)
            let root = try document(try await sendToUpload(get), get, named: "ListPartsResult")
            let before = parts.count
            for element in root.children("Part") {
                // Rising numbers below the limit also bound the number of pages.
                guard let number = element.child("PartNumber").flatMap({ Int($0.text) }),
                    number > (parts.last?.number ?? 0),
                    number <= 10_000, let size = element.child("Size").flatMap({ Int64($0.text) }),
                    let tag = element.child("ETag")?.text, !tag.isEmpty
                else { throw invalid(.listParts, session.key, "the list of parts cannot be used") }
                parts.append(UploadedPart(number: number, size: size, tag: tag, checksums: ObjectChecksums()))
            }
            guard root.child("IsTruncated")?.text == "true" else { return parts }
            guard parts.count > before else {
                throw invalid(.listParts, session.key, "the list of parts says that it goes on and has none")
            }
        }
    }

    /// Each step can be repeated after a lost reply: what is done is found done.
    func completeMultipart(
        _ request: CompleteRequest, _ id: String, _ staging: ObjectKey, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        let assembled = try await assemble(request.parts, id, staging, of: session)
        do throws(StoreError) {
            if assembled.size != session.size
                || request.digest.map({ assembled.checksums.agrees(with: ObjectChecksums(crc32c: $0.crc32c)) == false })
                    ?? false
            {
                throw StoreError(
                    .checksumMismatch, .completeUpload, key: session.key,
                    message: "the server put other bytes together than were sent")
            }
            let version = try await described(request.attributes, assembled.version, staging, of: session)
            let resource = try await publish(staging, version, request.condition, of: session)
            return receipt(resource, sent: request.digest)
        } catch {
            // Best effort: what stays is reported by `openUploads`, and aborting removes it too.
            if error.retry == .never { _ = await delete([DeleteRequest(key: staging, version: nil)]) }
            throw error
        }
    }

    /// Size, version and checksum of the temporary object.
    private struct Assembled {
        var size: Int64
        var version: GCSVersion
        var checksums: ObjectChecksums

        init(size: Int64, version: GCSVersion, checksums: ObjectChecksums) {
            self.size = size
            self.version = version
            self.checksums = checksums
        }

        init(_ resource: GCSResource) {
            self.init(size: resource.size, version: resource.version, checksums: resource.checksums)
        }
    }

    private func assemble(
        _ parts: [PartReceipt], _ id: String, _ staging: ObjectKey, of session: UploadSession
    ) async throws(StoreError) -> Assembled {
        var url = address.xmlObject(staging)
        url.append("uploadId", id)
        var post = GCSRequest(.completeUpload, .post, url, key: session.key)
        post.timeouts = .patient
        post.setXML(Self.completion(parts))
        do throws(StoreError) {
            let response = try await sendToUpload(post)
            _ = try document(response, post, named: "CompleteMultipartUploadResult")
            let checksums = ObjectChecksums(goog: response.headers)
            if let version = GCSVersion(response.headers), checksums.crc32c != nil {
                return Assembled(size: session.size, version: version, checksums: checksums)
            }
        } catch {
            // Gone may mean that an attempt before this one completed it and its reply was lost.
            guard error.code == .missingUpload else { throw error }
            do throws(StoreError) {
                return Assembled(try await resource(of: staging, .completeUpload))
            } catch let second {
                throw second.code == .notFound ? error : second
            }
        }
        return Assembled(try await resource(of: staging, .completeUpload))
    }

    /// Gives the temporary object the attributes that header fields could not carry.
    private func described(
        _ attributes: ObjectAttributes, _ version: GCSVersion, _ staging: ObjectKey, of session: UploadSession
    ) async throws(StoreError) -> GCSVersion {
        let attributes = try fitting(attributes, .completeUpload, session.key)
        if attributes.fitsHeaders { return version }
        var url = address.object(staging)
        url.append("ifGenerationMatch", plain: String(version.generation))
        url.append("fields", plain: GCSResource.receiptFields)
        var patch = GCSRequest(.completeUpload, .patch, url, key: session.key)
        patch.setJSON(try GCSNewResource(attributes, digest: nil).json(.completeUpload, key: session.key))
        return try decode(GCSResource.self, try await send(patch), patch).version
    }

    /// Gives the checked object its own name, under the condition.
    private func publish(
        _ staging: ObjectKey, _ version: GCSVersion, _ condition: WriteCondition, of session: UploadSession
    ) async throws(StoreError) -> GCSResource {
        if knownFacts.movesObjects {
            do throws(StoreError) {
                return try await move(staging, version, condition, of: session)
            } catch {
                guard error.mayMeanUnsupported else { throw error }
            }
        }
        let resource: GCSResource
        do throws(StoreError) {
            resource = try await rewrite(
                staging, version, to: session.key, size: session.size, under: condition, .completeUpload)
        } catch {
            guard error.code == .notFound else { throw error }
            throw gone(error)
        }
        learn { $0.learnNoMoves() }
        // Best effort: the object is there, and what stays is reported by `openUploads`.
        _ = await delete([DeleteRequest(key: staging, version: version.token)])
        return resource
    }

    private func move(
        _ staging: ObjectKey, _ version: GCSVersion, _ condition: WriteCondition, of session: UploadSession
    ) async throws(StoreError) -> GCSResource {
        var url = address.move(staging, to: session.key)
        url.append("ifSourceGenerationMatch", plain: String(version.generation))
        try url.append(condition, .completeUpload, key: session.key)
        url.append("fields", plain: GCSResource.receiptFields)
        var post = GCSRequest(.completeUpload, .post, url, key: session.key)
        post.timeouts = .patient
        return try decode(GCSResource.self, try await send(post), post)
    }

    func abortMultipart(_ id: String, _ staging: ObjectKey, of session: UploadSession) async throws(StoreError) {
        var url = address.xmlObject(staging)
        url.append("uploadId", id)
        do throws(StoreError) {
            _ = try await sendToUpload(GCSRequest(.abortUpload, .delete, url, key: session.key))
        } catch {
            guard error.code == .missingUpload else { throw error }
        }
        // It may have been completed under its temporary name.
        try await discard(staging, of: session)
    }

    /// Deletes the temporary object, or only that generation of it.
    func discard(
        _ staging: ObjectKey, generation: Int64? = nil, of session: UploadSession
    ) async throws(StoreError) {
        var url = address.object(staging)
        if let generation { url.append("ifGenerationMatch", plain: String(generation)) }
        do throws(StoreError) {
            _ = try await send(GCSRequest(.abortUpload, .delete, url, key: session.key))
        } catch {
            guard error.code == .notFound else { throw error }
        }
    }

    private func sendToUpload(_ request: GCSRequest) async throws(StoreError) -> HTTPResponse {
        do throws(StoreError) {
            return try await send(request)
        } catch {
            guard error.code == .notFound else { throw error }
            throw gone(error)
        }
    }

    private func gone(_ error: StoreError) -> StoreError {
        var error = error
        error.code = .missingUpload
        error.message = "the upload is gone: completed, aborted or expired"
        return error
    }

    private static func completion(_ parts: [PartReceipt]) -> [UInt8] {
        var writer = XMLWriter(declaration: false)
        writer.element("CompleteMultipartUpload") { writer in
            for part in parts {
                writer.element("Part") { writer in
                    writer.element("PartNumber", number: part.number)
                    writer.element("ETag", text: part.tag)
                }
            }
        }
        return writer.bytes
    }
}

extension ObjectAttributes {
    /// Whether header fields carry all of it unchanged: their names lose upper case, and their values anything but
    /// ASCII.
    var fitsHeaders: Bool {
        let values = [contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl]
        return values.allSatisfy { $0.map(GCSStore.isHeaderText) ?? true }
            && userMetadata.allSatisfy { name, value in
                GCSStore.isHeaderText(value)
                    && name.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                            UInt8(ascii: "-"),
                            UInt8(ascii: "_"):
                            true
                        default: false
                        }
                    }
            }
    }
}

extension HTTPHeaders {
    /// - Precondition: the attributes fit header fields.
    fileprivate mutating func append(_ attributes: ObjectAttributes) {
        appendIfPresent("content-type", attributes.contentType)
        appendIfPresent("content-encoding", attributes.contentEncoding)
        appendIfPresent("content-language", attributes.contentLanguage)
        appendIfPresent("content-disposition", attributes.contentDisposition)
        appendIfPresent("cache-control", attributes.cacheControl)
        for (name, value) in attributes.userMetadata { append("x-goog-meta-" + name, value) }
    }
}
