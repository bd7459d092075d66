import Azure
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension AzureBlobStore {
    /// Copy Blob From URL: synchronous and atomic, with the source's attributes. The asynchronous call for larger blobs
    /// shows readers an unfinished blob while it runs; those are copied block by block instead (`copyPart`).
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        guard request.size <= Self.maxCopySize else {
            throw StoreError(
                .unsupportedObject, .copy, key: request.source,
                message: "Azure copies at most \(Self.maxCopySize) bytes in one request, the blob has \(request.size)")
        }
        var put = AzureBlobRequest(.copy, .put, key: request.destination, headers: ["x-ms-requires-sync": "true"])
        put.headers.append(try await sourceHeaders(request.source, put))
        put.headers.append("x-ms-source-if-match", request.sourceVersion.quoted)
        put.headers.append(configuration.encryption)
        put.headers.append(request.condition)
        put.success = 202
        put.timeouts = .patient
        let response = try await learningCopies { () throws(StoreError) in try await send(put) }
        let status = response.headers["x-ms-copy-status"] ?? "success"
        guard status == "success" else {
            throw invalid(
                .copy, request.destination, "the server answers that the copy is \(status), not that it is done")
        }
        return WriteReceipt(
            version: try writtenVersion(response, .copy, request.destination),
            checksums: ObjectChecksums(crc64nvme: response.headers.contentCRC64), bytesVerified: false)
    }

    /// Put Block From URL, pinned to the source's version and, where the range's checksum is known, verified by it.
    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        precondition(part.digest.map { $0.length == part.range.length } ?? true, "the digest is of another range")
        let id = AzureBlockID(
            number: part.number, nonce: try nonce(of: session, .copyPart), crc64: part.digest?.crc64nvme)
        var put = AzureBlobRequest(.copyPart, .put, key: session.key, query: ["blockid": id.text, "comp": "block"])
        put.headers.append(try await sourceHeaders(part.source, put))
        put.headers.append("x-ms-source-range", part.range.headerValue)
        put.headers.append(configuration.encryption)
        put.headers.append("x-ms-source-if-match", part.sourceVersion.quoted)
        if let digest = part.digest { put.headers.appendChecksum(digest.crc64nvme, source: true) }
        put.success = 201
        put.timeouts = .patient
        let response = try await learningCopies { () throws(StoreError) in try await send(put) }
        let reported = response.headers.contentCRC64
        // An emulator that overlooks the checksum has verified no block that carries it in its name.
        if part.digest != nil, !configuration.isAzure { learn { $0.learn(verifiesChecksums: reported != nil) } }
        if let digest = part.digest, let reported, reported != digest.crc64nvme {
            throw StoreError(
                .checksumMismatch, .copyPart, key: session.key,
                message: "the range copied for part \(part.number) has another checksum than the ledger knows for it",
                status: response.status)
        }
        return PartReceipt(number: part.number, size: part.range.length, tag: id.text, digest: part.digest)
    }

    /// Notes a server that does not implement copies.
    private func learningCopies(
        _ call: () async throws(StoreError) -> HTTPResponse
    ) async throws(StoreError) -> HTTPResponse {
        do throws(StoreError) {
            return try await call()
        } catch {
            if error.code == .unsupportedOperation { learn { $0.learnNoCopies() } }
            throw error
        }
    }
}
