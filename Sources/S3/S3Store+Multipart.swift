import AWS
import Buffers
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension S3Store {
    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try checkKey(request.key, .beginUpload)
        let attributes = try fitting(request.attributes, .beginUpload, request.key)
        let (root, algorithm) = try await withChecksum(knownFacts.checksum) { algorithm throws(StoreError) in
            var post = S3Request(.beginUpload, .post, key: request.key)
            post.query.append("uploads")
            post.headers.append(attributes)
            post.headers.append(configuration.encryption)
            if let algorithm {
                post.headers.append("x-amz-checksum-algorithm", algorithm.name)
                // Only full-object sums describe the bytes whatever the parts were.
                post.headers.append("x-amz-checksum-type", "FULL_OBJECT")
            }
            return try document(
                try await send(post), post, named: "InitiateMultipartUploadResult", "InitiateMultipartUpload")
        }
        guard let id = root.child("UploadId")?.text, !id.isEmpty else {
            throw invalid(.beginUpload, request.key, "the server opened an upload without an id")
        }
        return UploadSession(
            key: request.key, handle: S3UploadHandle(id: id, checksum: algorithm).text, size: request.size,
            partSize: request.partSize)
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let handle = S3UploadHandle(session.handle)
        let (response, _) = try await withChecksum(handle.checksum, substitutes: false) {
            algorithm throws(StoreError) in
            var put = S3Request(.uploadPart, .put, key: session.key)
            put.query.append("partNumber", String(part.number))
            put.query.append("uploadId", handle.id)
            put.headers.appendChecksum(algorithm, of: part.digest)
            put.body = .slice(part.body)
            put.payloadHash = AWSSigner.unsignedPayload
            return try await send(put)
        }
        guard let tag = VersionToken(entityTag: response.headers["etag"]) else {
            throw invalid(.uploadPart, session.key, "the reply to a part has no ETag")
        }
        let reported = ObjectChecksums(s3: response.headers)
        if reported.agrees(with: ObjectChecksums(part.digest)) == false {
            throw StoreError(
                .checksumMismatch, .uploadPart, key: session.key,
                message: "the server's checksum of part \(part.number) differs from the one sent", retry: .transient)
        }
        if !reported.isEmpty { learnReports(reported, to: handle.checksum) }
        return PartReceipt(number: part.number, size: Int64(part.body.count), tag: tag.text, digest: part.digest)
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        let handle = S3UploadHandle(session.handle)
        var parts: [UploadedPart] = []
        var marker = 0
        while true {
            var get = S3Request(.listParts, .get, key: session.key)
            get.query.append("max-parts", "1000")
            if marker > 0 { get.query.append("part-number-marker", String(marker)) }
            get.query.append("uploadId", handle.id)
            let root = try document(try await send(get), get, named: "ListPartsResult", "ListPartsResponse")
            let page: S3PartsPage
            do throws(S3DocumentError) {
                page = try S3PartsPage(root)
            } catch {
                throw invalid(.listParts, session.key, "the list of parts cannot be used: \(error)")
            }
            for part in page.parts {
                // Rising numbers below the limit also bound the number of pages.
                guard part.number > (parts.last?.number ?? 0), part.number <= 10_000 else {
                    throw invalid(.listParts, session.key, "the parts are out of order or too many")
                }
                parts.append(part)
            }
            guard page.isTruncated else { return parts }
            guard let next = page.nextMarker ?? page.parts.last?.number, next > marker, next <= 10_000 else {
                throw invalid(.listParts, session.key, "the list of parts says that it goes on and not where")
            }
            marker = next
        }
    }

    package func completeUpload(_ request: CompleteRequest, of session: UploadSession) async throws(StoreError)
        -> WriteReceipt
    {
        let handle = S3UploadHandle(session.handle)
        let (root, algorithm) = try await withChecksum(
            handle.checksum, onlyUnimplemented: true, substitutes: false
        ) { algorithm throws(StoreError) in
            var post = S3Request(.completeUpload, .post, key: session.key)
            post.query.append("uploadId", handle.id)
            post.headers.append(request.condition)
            if let algorithm, request.digest != nil {
                post.headers.appendChecksum(algorithm, of: request.digest)
                post.headers.append("x-amz-checksum-type", "FULL_OBJECT")
            }
            post.headers.append("x-amz-mp-object-size", String(request.parts.reduce(0) { $0 + $1.size }))
            post.timeouts = .patient
            post.setDocument(Self.completion(request.parts, algorithm))
            return try document(
                try await sendWrite(post, under: request.condition), post, named: "CompleteMultipartUploadResult")
        }
        let result = S3WriteResult(root)
        guard let version = result.version else {
            throw invalid(.completeUpload, session.key, "the reply to a completed upload has no ETag")
        }
        var receipt = WriteReceipt(version: version, checksums: result.checksums, bytesVerified: false)
        if receipt.checksums.isEmpty, request.digest != nil {
            receipt = await look(at: receipt, session.key, size: request.parts.reduce(0) { $0 + $1.size })
            learnReports(receipt.checksums, to: algorithm)
        }
        if let digest = request.digest {
            receipt.bytesVerified = receipt.checksums.agrees(with: ObjectChecksums(digest)) == true
        }
        return receipt
    }

    /// What one HEAD adds to a completion whose reply named no checksum. The write stands whatever becomes of it.
    ///
    /// Some clones list the object under another ETag than they answered. Theirs is taken, unverified, when the size is
    /// right, so that reading back pins what is there.
    private func look(at receipt: WriteReceipt, _ key: ObjectKey, size: Int64) async -> WriteReceipt {
        let found: ListedObject
        do throws(StoreError) {
            found = try await head(key).object
        } catch {
            return receipt
        }
        if found.version == receipt.version {
            return WriteReceipt(version: receipt.version, checksums: found.checksums, bytesVerified: false)
        }
        guard !configuration.isAWS, found.size == size else { return receipt }
        learn { $0.learnOtherETags() }
        return WriteReceipt(version: found.version, checksums: ObjectChecksums(), bytesVerified: false)
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        var delete = S3Request(.abortUpload, .delete, key: session.key)
        delete.query.append("uploadId", S3UploadHandle(session.handle).id)
        do throws(StoreError) {
            _ = try await send(delete)
        } catch {
            guard error.code == .missingUpload || error.code == .notFound else { throw error }
        }
    }

    private static func completion(_ parts: [PartReceipt], _ algorithm: S3ChecksumAlgorithm?) -> [UInt8] {
        var writer = XMLWriter(declaration: false)
        writer.element("CompleteMultipartUpload", attributes: ["xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"]) {
            writer in
            for part in parts {
                writer.element("Part") { writer in
                    if let algorithm, let digest = part.digest {
                        writer.element(algorithm.element, text: algorithm.value(of: digest))
                    }
                    writer.element("ETag", text: VersionToken(part.tag).quoted)
                    writer.element("PartNumber", number: part.number)
                }
            }
        }
        return writer.bytes
    }
}

/// The store's handle of an upload: its id, and the checksum that was agreed on when it was opened, `crc64nvme:ID` or
/// `none:ID`.
struct S3UploadHandle: Hashable {
    var id: String
    var checksum: S3ChecksumAlgorithm?

    init(id: String, checksum: S3ChecksumAlgorithm?) {
        self.id = id
        self.checksum = checksum
    }

    init(_ text: String) {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        id = String(halves.last ?? "")
        checksum = halves.first.flatMap { S3ChecksumAlgorithm(rawValue: String($0)) }
    }

    var text: String { "\(checksum?.rawValue ?? "none"):\(id)" }
}
