import Azure
import Buffers
import Cryptography
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension AzureBlobStore {
    /// Opens an upload: chooses its nonce. The service learns of it with the first block.
    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try check(request.key, .beginUpload)
        _ = try fitting(request.attributes, .beginUpload, request.key)
        let nonce = SecureRandom.bytes(8).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        return UploadSession(
            key: request.key, handle: Self.handle(nonce), size: request.size, partSize: request.partSize)
    }

    /// Put Block. Sending a part again replaces it by itself, so a lost reply needs no reading back.
    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        precondition(Int64(part.body.count) == part.digest.length, "the digest is of other bytes than the part")
        let id = AzureBlockID(
            number: part.number, nonce: try nonce(of: session, .uploadPart), crc64: part.digest.crc64nvme)
        var put = AzureBlobRequest(.uploadPart, .put, key: session.key, query: ["blockid": id.text, "comp": "block"])
        put.headers.appendChecksum(part.digest.crc64nvme)
        put.headers.append(configuration.encryption)
        put.body = .slice(part.body)
        put.success = 201
        let response = try await send(put)
        let reported = response.headers.contentCRC64
        learn { $0.learn(verifiesChecksums: reported != nil) }
        guard reported ?? part.digest.crc64nvme == part.digest.crc64nvme else {
            throw StoreError(
                .checksumMismatch, .uploadPart, key: session.key,
                message:
                    "the server reports another checksum for part \(part.number) than the bytes that were sent have",
                retry: .transient, status: response.status)
        }
        return PartReceipt(number: part.number, size: part.digest.length, tag: id.text, digest: part.digest)
    }

    /// The uncommitted blocks of this upload. A number of which two different blocks wait is left out, so that it is
    /// sent again. None are left when somebody else has written the blob. Committed blocks tell a completed upload.
    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        let nonce = try nonce(of: session, .listParts)
        guard let (list, _) = try await blockList(session.key, .listParts, type: "all") else { return [] }
        guard !list.committed.contains(where: { AzureBlockID($0.id)?.nonce == nonce }) else {
            throw StoreError(
                .missingUpload, .listParts, key: session.key, message: "the upload has been completed")
        }
        var parts: [Int: UploadedPart] = [:]
        var ambiguous: Set<Int> = []
        for block in list.uncommitted {
            guard let id = AzureBlockID(block.id), id.nonce == nonce else { continue }
            let part = UploadedPart(
                number: id.number, size: block.size, tag: block.id, checksums: ObjectChecksums(crc64nvme: id.crc64))
            if parts.updateValue(part, forKey: id.number) != nil { ambiguous.insert(id.number) }
        }
        return parts.values.filter { !ambiguous.contains($0.number) }.sorted { $0.number < $1.number }
    }

    /// Put Block List, under the condition and with all attributes. Before it is sent, the checksums in the blocks'
    /// names are combined and compared with the whole's: the service itself has no checksum of a blob made of blocks.
    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        let crc64 = try combined(request, session)
        var put = AzureBlobRequest(
            .completeUpload, .put, key: session.key, query: ["comp": "blocklist"],
            headers: ["content-type": "application/xml"])
        let document = AzureBlockList.document(request.parts.map(\.tag))
        // Of the document, so that not even the list can arrive damaged.
        put.headers.appendChecksum(document.withUnsafeBytes { ContentDigest(of: $0) }.crc64nvme)
        put.headers.append(configuration.encryption)
        put.headers.append(try fitting(request.attributes, .completeUpload, session.key))
        put.headers.append(request.condition)
        put.body = .bytes(document)
        put.success = 201
        put.timeouts = .patient
        let response = try await commit(put, request.condition)
        // Blocks of an emulator that verifies nothing prove nothing.
        let isVerified = crc64 != nil && (configuration.isAzure || knownFacts.verifiesChecksums == true)
        return WriteReceipt(
            version: try writtenVersion(response, .completeUpload, session.key),
            checksums: ObjectChecksums(crc64nvme: isVerified ? crc64 : nil), bytesVerified: isVerified)
    }

    /// Sends the block list. Whoever writes the blob first takes the blocks of all other uploads with it, and the
    /// service may notice that before it looks at the condition: then the condition is looked at here, so that a
    /// conflict is called one.
    private func commit(_ request: AzureBlobRequest, _ condition: WriteCondition) async throws(StoreError)
        -> HTTPResponse
    {
        do throws(StoreError) {
            return try await send(request)
        } catch {
            guard error.code == .missingUpload, let key = request.key, condition != .unconditional else { throw error }
            let current: VersionToken?
            do throws(StoreError) {
                current = try await properties(key, version: nil, .completeUpload).0.object.version
            } catch let failure {
                guard failure.code == .notFound else { throw error }
                current = nil
            }
            let holds = if case .matches(let version) = condition { current == version } else { current == nil }
            guard !holds else { throw error }
            throw StoreError(
                .preconditionFailed, .completeUpload, key: key, message: "somebody else wrote this key meanwhile",
                status: error.status,
                serviceCode: error.serviceCode, requestID: error.requestID)
        }
    }

    /// Gives the upload up without a request: the service has no call for it.
    ///
    /// Its blocks are invisible, hinder no other upload (names are equally long and carry the upload's nonce), and
    /// vanish a week after the last one was sent or when the blob is written. What would drop them at once, committing
    /// an empty list, would show readers an empty blob or touch one that is not ours. This store refuses to go on with
    /// the upload and lists it no more.
    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        guard let nonce = ChecksumEncoding.fromHex(session.handle, as: UInt64.self) else { return }
        learn { $0.abort(upload: nonce) }
    }

    static func handle(_ nonce: UInt64) -> String { ChecksumEncoding.hex(nonce) }

    func nonce(of session: UploadSession, _ operation: StoreOperation) throws(StoreError) -> UInt64 {
        guard let nonce = ChecksumEncoding.fromHex(session.handle, as: UInt64.self) else {
            throw StoreError(
                .missingUpload, operation, key: session.key, message: "the session is not one of Azure Blob Storage")
        }
        guard !knownFacts.abortedUploads.contains(nonce) else {
            throw StoreError(.missingUpload, operation, key: session.key, message: "the upload was aborted")
        }
        return nonce
    }

    /// The CRC-64 of all parts together, nil when that of a copied one is not known. Throws when the parts are not the
    /// object.
    private func combined(_ request: CompleteRequest, _ session: UploadSession) throws(StoreError) -> UInt64? {
        func refuse(_ message: String) -> StoreError {
            StoreError(.invalidRequest, .completeUpload, key: session.key, message: message)
        }
        let nonce = try nonce(of: session, .completeUpload)
        var crc64: UInt64? = 0
        var length: Int64 = 0
        for (index, part) in request.parts.enumerated() {
            guard let id = AzureBlockID(part.tag), id.nonce == nonce, id.number == part.number, part.number == index + 1
            else {
                throw refuse("part \(part.number) in place \(index + 1) is not a block of this upload in its order")
            }
            crc64 = crc64.flatMap { whole in id.crc64.map { CRC64NVME.combine(whole, $0, lengthOfB: part.size) } }
            length += part.size
        }
        guard length == request.digest?.length ?? session.size else {
            throw refuse("the parts have \(length) bytes, the object \(request.digest?.length ?? session.size)")
        }
        if let digest = request.digest, let crc64, crc64 != digest.crc64nvme {
            throw StoreError(
                .checksumMismatch, .completeUpload, key: session.key,
                message: "the parts together are not the object: their checksums differ")
        }
        return crc64
    }
}
