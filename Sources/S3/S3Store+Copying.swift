import Digests
import HTTPStores
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension S3Store {
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        let (root, algorithm) = try await withChecksum(knownFacts.checksum) { algorithm throws(StoreError) in
            var put = S3Request(.copy, .put, key: request.destination)
            put.headers.append(request.condition)
            put.headers.append("x-amz-copy-source", copySource(request.source))
            put.headers.append("x-amz-copy-source-if-match", request.sourceVersion.quoted)
            // So that the copy has, and the reply names, a full-object checksum whatever the source has.
            if let algorithm { put.headers.append("x-amz-checksum-algorithm", algorithm.name) }
            put.timeouts = .patient
            return try document(try await sendWrite(put, under: request.condition), put, named: "CopyObjectResult")
        }
        let result = S3WriteResult(root)
        guard let version = result.version else { throw invalid(.copy, request.destination, "the reply to a copy has no ETag") }
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
            root = try document(try await send(put), put, named: "CopyPartResult")
        } catch {
            if error.code == .unsupportedOperation { learn { $0.learnNoPartCopies() } }
            throw error
        }
        let result = S3WriteResult(root)
        guard let tag = result.version else { throw invalid(.copyPart, session.key, "the reply to a copied part has no ETag") }
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
