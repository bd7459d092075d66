import Buffers
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension AzureBlobStore {
    /// Put Blob: atomic and verified by its CRC-64, which the service reports back.
    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        precondition(
            Int64(request.body?.count ?? 0) == request.digest.length, "the digest is of other bytes than the body")
        var put = AzureBlobRequest(.put, .put, key: request.key, headers: ["x-ms-blob-type": "BlockBlob"])
        put.headers.appendChecksum(request.digest.crc64nvme)
        put.headers.append(configuration.encryption)
        put.headers.append(try fitting(request.attributes, .put, request.key))
        put.headers.append(request.condition)
        if let body = request.body { put.body = .slice(body) }
        put.success = 201
        let response = try await send(put)
        let reported = response.headers.contentCRC64
        learn { $0.learn(verifiesChecksums: reported != nil) }
        return WriteReceipt(
            version: try writtenVersion(response, .put, request.key), checksums: ObjectChecksums(crc64nvme: reported),
            bytesVerified: reported == request.digest.crc64nvme)
    }

    /// The attributes if the service can hold them all. The engine has asked `rules.fit` before and reported the rest.
    func fitting(
        _ attributes: ObjectAttributes, _ operation: StoreOperation, _ key: ObjectKey
    ) throws(StoreError) -> ObjectAttributes {
        let (kept, dropped) = rules.fit(attributes)
        guard dropped.isEmpty else {
            throw StoreError(
                .unsupportedObject, operation, key: key,
                message:
                    "Azure cannot hold these attributes: \(dropped.map { "\(ObjectKey($0))" }.joined(separator: ", "))")
        }
        return kept
    }

    func writtenVersion(_ response: HTTPResponse, _ operation: StoreOperation, _ key: ObjectKey) throws(StoreError)
        -> VersionToken
    {
        guard let version = VersionToken(entityTag: response.headers["etag"]) else {
            throw invalid(operation, key, "the reply has no strong ETag, so the stored version is not known")
        }
        return version
    }
}
