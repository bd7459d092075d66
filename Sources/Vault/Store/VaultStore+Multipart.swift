import Buffers
import Cryptography
import Digests
package import ObjectStores
import ReplicationModel
import Synchronization

/// One object that comes in parts, in order, in this process.
final class VaultUpload: Sendable {
    let request: UploadRequest
    let object: ObjectWriter
    let initiated: Int64
    /// Parts that are in. Touched by one part at a time, which `turn` sees to.
    let parts = Mutex<[PartReceipt]>([])
    let turn = AsyncTurn()

    init(_ request: UploadRequest, object: ObjectWriter, initiated: Int64) {
        self.request = request
        self.object = object
        self.initiated = initiated
    }

    /// Parts in, and the digest of them all.
    func append(_ part: PartRequest) async throws(VaultError) -> PartReceipt {
        try await turn.withTurn { () async throws(VaultError) in
            let known = parts.withLock { $0 }
            if part.number <= known.count, part.number > 0, known[part.number - 1].digest == part.digest {
                return known[part.number - 1]
            }
            guard part.number == known.count + 1, part.offset == object.digest.length,
                part.offset + Int64(part.body.count) <= request.size
            else {
                throw VaultError(
                    StoreError(
                        .invalidRequest, .uploadPart, key: request.key,
                        message: "parts come one after the other, and \(part.number) is not the next"))
            }
            try await object.append(part.body, digest: part.digest)
            let receipt = PartReceipt(
                number: part.number, size: Int64(part.body.count), tag: "\(part.number)", digest: part.digest)
            parts.withLock { $0.append(receipt) }
            return receipt
        }
    }
}

extension VaultStore {
    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        let writer = try writable(.beginUpload, request.key)
        try check(request.key, .beginUpload)
        let object = ObjectWriter(size: request.size, profile: vault.format.chunker, store: ChunkStore(writer))
        let handle = Hex.encode(SecureRandom.bytes(16))
        uploads.withLock { $0[handle] = VaultUpload(request, object: object, initiated: vault.time.now()) }
        return UploadSession(
            key: request.key, handle: handle, size: request.size, partSize: request.partSize, partOrder: .sequential)
    }

    private func upload(_ session: UploadSession, _ operation: StoreOperation) throws(StoreError) -> VaultUpload {
        guard let upload = uploads.withLock({ $0[session.handle] }), upload.request.key == session.key else {
            throw StoreError(.missingUpload, operation, key: session.key, message: "no such upload")
        }
        return upload
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let upload = try upload(session, .uploadPart)
        try part.digest.verify(part.body, .uploadPart, session.key)
        do throws(VaultError) {
            return try await upload.append(part)
        } catch {
            throw error.asStoreError(.uploadPart, session.key)
        }
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        throw StoreError(
            .unsupportedOperation, .copyPart, key: session.key, message: "a vault finds known bytes by itself")
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try upload(session, .listParts).parts.withLock { parts in
            parts.map { part in
                UploadedPart(
                    number: part.number, size: part.size, tag: part.tag,
                    checksums: part.digest.map { ObjectChecksums(crc32c: $0.crc32c, crc64nvme: $0.crc64nvme) }
                        ?? ObjectChecksums())
            }
        }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        let writer = try writable(.completeUpload, session.key)
        let upload = try upload(session, .completeUpload)
        let parts = upload.parts.withLock { $0 }
        guard request.parts.map(\.number) == parts.map(\.number), request.parts.map(\.tag) == parts.map(\.tag),
            parts.reduce(0, { $0 + $1.size }) == upload.request.size
        else {
            throw StoreError(
                .invalidRequest, .completeUpload, key: session.key, message: "these are not the parts that came")
        }
        let content = upload.object.finish()
        if let digest = request.digest, digest != content.digest {
            throw StoreError(
                .checksumMismatch, .completeUpload, key: session.key,
                message: "the parts together do not have the checksum of the object")
        }
        let receipt = try await stage(
            content, session.key, request.attributes, request.condition, writer, .completeUpload)
        uploads.withLock { $0[session.handle] = nil }
        return receipt
    }

    /// What was stored of it stays in its packs until garbage collection, and is found when the same bytes come again.
    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        uploads.withLock { $0[session.handle] = nil }
    }

    /// Those of this process: nobody else's are known, or would be of use.
    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        let open = uploads.withLock { uploads in
            uploads.filter { $0.value.request.key.hasPrefix(request.prefix) }.map { handle, upload in
                OpenUpload(
                    session: UploadSession(
                        key: upload.request.key, handle: handle, size: upload.request.size,
                        partSize: upload.request.partSize, partOrder: .sequential),
                    initiated: upload.initiated)
            }
        }
        return OpenUploadsPage(page: request, of: open)
    }
}
