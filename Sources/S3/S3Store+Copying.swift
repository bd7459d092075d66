import Digests
import HTTPStores
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension S3Store {
    /// On servers that have not shown that they pin the source, its version is looked at before and after: equal
    /// versions at both ends mean that it was copied from.
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try checkKey(request.destination, .copy)
        if mayOverlookPins { try await check(.copy, request.source, request.sourceVersion) }
        let receipt = try await copyOnce(request)
        guard mayOverlookPins else { return receipt }
        do throws(StoreError) {
            try await check(.copy, request.source, request.sourceVersion)
        } catch {
            // The copy is there already, of whichever version.
            var error = error
            if error.code != .cancelled { error.retry = .unknownOutcome }
            throw error
        }
        return receipt
    }

    private var mayOverlookPins: Bool { !configuration.isAWS && !knownFacts.pinsCopySources }

    private func check(_ operation: StoreOperation, _ source: ObjectKey, _ version: VersionToken)
        async throws(StoreError)
    {
        let found: VersionToken
        do throws(StoreError) {
            found = try await head(source).object.version
        } catch {
            var error = error
            error.operation = operation
            throw error
        }
        guard found == version else {
            throw StoreError(
                .versionChanged, operation, key: source, message: "the object that was to be copied has been replaced")
        }
    }

    private func copyOnce(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        let (root, algorithm) = try await withChecksum(knownFacts.checksum) { algorithm throws(StoreError) in
            var put = S3Request(.copy, .put, key: request.destination)
            put.headers.append(request.condition)
            put.headers.append("x-amz-copy-source", copySource(request.source))
            put.headers.append("x-amz-copy-source-if-match", request.sourceVersion.quoted)
            put.headers.append(configuration.encryption)
            // So that the copy has, and the reply names, a full-object checksum whatever the source has.
            if let algorithm { put.headers.append("x-amz-checksum-algorithm", algorithm.name) }
            put.timeouts = .patient
            do throws(StoreError) {
                return try document(try await sendWrite(put, under: request.condition), put, named: "CopyObjectResult")
            } catch {
                if error.code == .versionChanged { learn { $0.learnPinsCopySources() } }
                throw error
            }
        }
        let result = S3WriteResult(root)
        guard let version = result.version else {
            throw invalid(.copy, request.destination, "the reply to a copy has no ETag")
        }
        learnReports(result.checksums, to: algorithm)
        return WriteReceipt(version: version, checksums: result.checksums, bytesVerified: false)
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let handle = S3UploadHandle(session.handle)
        var put = S3Request(.copyPart, .put, key: session.key)
        put.query.append("partNumber", String(part.number))
        put.query.append("uploadId", handle.id)
        put.headers.append("x-amz-copy-source", copySource(part.source))
        put.headers.append("x-amz-copy-source-if-match", part.sourceVersion.quoted)
        put.headers.append("x-amz-copy-source-range", part.range.headerValue)
        put.timeouts = .patient
        let root: XMLElement
        do throws(StoreError) {
            let response = try await send(put)
            // A server that overlooks the source takes the request for an ordinary part without bytes.
            if response.body.isEmpty, !configuration.isAWS {
                throw StoreError(
                    .unsupportedOperation, .copyPart, key: session.key, message: "the server does not copy parts",
                    status: response.status)
            }
            root = try document(response, put, named: "CopyPartResult")
        } catch {
            if error.code == .unsupportedOperation { learn { $0.learnNoPartCopies() } }
            if error.code == .versionChanged { learn { $0.learnPinsCopySources() } }
            throw error
        }
        // Nobody sees a part yet: looking afterwards is enough.
        if mayOverlookPins { try await check(.copyPart, part.source, part.sourceVersion) }
        let result = S3WriteResult(root)
        guard let tag = result.version else {
            throw invalid(.copyPart, session.key, "the reply to a copied part has no ETag")
        }
        if let digest = part.digest, result.checksums.agrees(with: ObjectChecksums(digest)) == false {
            throw StoreError(
                .checksumMismatch, .copyPart, key: session.key,
                message: "the copied range does not have the checksum that is recorded for it")
        }
        return PartReceipt(number: part.number, size: part.range.length, tag: tag.text, digest: part.digest)
    }

    private func copySource(_ key: ObjectKey) -> String {
        "\(PercentEncoding.encode(bucket))/\(PercentEncoding.encode(key.bytes, keepSlash: true))"
    }
}
