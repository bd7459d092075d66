import Buffers
import Digests
import HTTPTransport
import ObjectStores
import ReplicationModel

/// Resumable sessions: one part after the other, and the whole checksum with the last bytes.
extension GCSStore {
    func beginResumable(_ request: UploadRequest, _ attributes: ObjectAttributes) async throws(StoreError)
        -> UploadSession
    {
        var url = address.insert(request.key, uploadType: "resumable")
        try url.append(request.condition, .beginUpload, key: request.key)
        url.appendIfPresent("kmsKeyName", configuration.kmsKeyName)
        url.append("fields", plain: GCSResource.receiptFields)
        var post = GCSRequest(.beginUpload, .post, url, key: request.key)
        post.setJSON(try GCSNewResource(attributes, digest: nil).json(.beginUpload, key: request.key))
        post.headers.append("x-upload-content-length", String(request.size))
        let type = attributes.contentType.flatMap { Self.isHeaderText($0) ? $0 : nil } ?? GCSResource.absentContentType
        post.headers.append("x-upload-content-type", type)
        let response = try await sendWrite(post, under: request.condition)
        guard let path = response.headers["location"].flatMap(Self.pathAndQuery) else {
            throw invalid(.beginUpload, request.key, "the server opened a session and does not say where")
        }
        sessions.open(path)
        return UploadSession(
            key: request.key, handle: GCSUploadHandle.resumable(path: path, condition: request.condition).text,
            size: request.size, partSize: request.partSize, partOrder: .sequential)
    }

    /// What follows the host of a URL. The host is not believed: the token goes where it is configured to go.
    private static func pathAndQuery(_ url: String) -> String? {
        guard let separator = url.firstRange(of: "://"),
            let slash = url[separator.upperBound...].firstIndex(of: "/")
        else { return nil }
        let path = url[slash...]
        return path.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? String(path) : nil
    }

    func uploadResumable(_ part: PartRequest, to path: String, of session: UploadSession) async throws(StoreError)
        -> PartReceipt
    {
        let range = ByteRange(offset: part.offset, length: Int64(part.body.count))
        let digest = sessions.digest(path, before: range.offset)?.appending(part.digest)
        var progress = GCSResumableProgress(size: session.size, held: sessions.takeProgress(path))
        guard range.end <= session.size,
            range.end == session.size || range.end % Int64(GCSResumableProgress.quantum) == 0
        else {
            throw StoreError(
                .invalidRequest, .uploadPart, key: session.key,
                message: "part \(part.number) does not end on a multiple of \(GCSResumableProgress.quantum) bytes")
        }
        sending: while true {
            switch progress.next(for: range) {
            case .finished: break sending
            case .ask: try await ask(path, session, .uploadPart, &progress)
            case .send(let bytes):
                let body = part.body.slice(Int(bytes.offset - range.offset), Int(bytes.length))
                let response = try await put(.slice(body), bytes, to: path, session, .uploadPart)
                try note(response, sentTo: bytes.end, session, .uploadPart, &progress)
            case .failed(let failure): throw error(failure, session, .uploadPart)
            }
        }
        try compare(progress, with: digest, part, session)
        sessions.setProgress(path, progress.held)
        sessions.setDigest(path, digest)
        if range.end == session.size {
            let start = Int(progress.reserve - range.offset)
            guard start >= 0 else {
                throw StoreError(
                    .invalidRequest, .uploadPart, key: session.key,
                    message: "the last part is smaller than what is held back of it")
            }
            sessions.setReserve(path, part.body.slice(start, part.body.count - start).withUnsafeBytes { Array($0) })
        }
        return PartReceipt(number: part.number, size: range.length, tag: "to-\(range.end)", digest: part.digest)
    }

    /// Compares the server's running checksum with that of the bytes sent so far, where both are known and end at the
    /// same byte. The whole is compared anyway in the end; this finds damage before the rest is sent.
    private func compare(
        _ progress: GCSResumableProgress, with digest: ContentDigest?, _ part: PartRequest, _ session: UploadSession
    ) throws(StoreError) {
        guard let digest, let running = progress.runningChecksum, progress.held == digest.length,
            running != digest.crc32c
        else { return }
        throw StoreError(
            .checksumMismatch, .uploadPart, key: session.key,
            message: "the server's checksum of the bytes up to part \(part.number) differs from the one sent")
    }

    /// Sends the bytes that were held back, with the checksum of the whole object, which the server compares before
    /// the object appears.
    func completeResumable(
        _ request: CompleteRequest, at path: String, _ condition: WriteCondition, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        guard request.condition == condition else {
            throw StoreError(
                .invalidRequest, .completeUpload, key: session.key,
                message: "the upload was opened under another condition than it is completed under; begin it again")
        }
        guard let reserve = session.size == 0 ? [] : sessions.reserve(path) else {
            throw StoreError(
                .missingUpload, .completeUpload, key: session.key,
                message: "the last part must be sent again by whoever completes the upload")
        }
        do throws(StoreError) {
            let resource = try await finish(request, reserve, at: path, session)
            sessions.close(path)
            // An emulator that did not compare the checksum is contradicted by the receipt.
            return receipt(resource, sent: request.digest)
        } catch {
            if error.retry == .never { sessions.close(path) }
            throw error
        }
    }

    private func finish(
        _ request: CompleteRequest, _ reserve: [UInt8], at path: String, _ session: UploadSession
    ) async throws(StoreError) -> GCSResource {
        var progress = GCSResumableProgress(size: session.size, held: sessions.takeProgress(path))
        while true {
            switch progress.nextForCompletion() {
            case .ask:
                // A session whose end was reached by a request with a lost reply answers with the object.
                if let finished = try await ask(path, session, .completeUpload, &progress) { return finished }
            case .send(let bytes):
                let body = HTTPBody.bytes(Array(reserve[Int(bytes.offset - progress.reserve)...]))
                let response = try await put(body, bytes, to: path, session, .completeUpload, whole: request.digest)
                if let finished = try resource(response, session, .completeUpload) { return finished }
                try note(response, sentTo: bytes.end, session, .completeUpload, &progress)
            case .finished: preconditionFailure("completing always sends")
            case .failed(let failure): throw error(failure, session, .completeUpload)
            }
        }
    }

    /// The parts that the server holds in full. The last one never counts: its end is held back.
    func listResumable(_ path: String, _ session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        var progress = GCSResumableProgress(size: session.size, held: nil)
        if try await ask(path, session, .listParts, &progress) != nil {
            throw StoreError(.missingUpload, .listParts, key: session.key, message: "the upload has been completed")
        }
        sessions.setProgress(path, progress.held)
        let complete = min((progress.held ?? 0) / session.partSize, 10_000)
        return (0..<complete).filter { ($0 + 1) * session.partSize < session.size }.map { index in
            UploadedPart(
                number: Int(index) + 1, size: session.partSize, tag: "to-\((index + 1) * session.partSize)",
                checksums: ObjectChecksums())
        }
    }

    func abortResumable(_ path: String, _ session: UploadSession) async throws(StoreError) {
        sessions.close(path)
        var delete = GCSRequest(.abortUpload, .delete, address.session(path), key: session.key)
        delete.answers = [499, 404, 410]
        do throws(StoreError) {
            _ = try await send(delete)
        } catch {
            // A server that cannot cancel sessions lets them expire, as Google does after a week.
            guard error.code == .unsupportedOperation else { throw error }
        }
    }

    // MARK: requests to a session

    private func put(
        _ body: HTTPBody, _ bytes: ByteRange, to path: String, _ session: UploadSession, _ operation: StoreOperation,
        whole digest: ContentDigest? = nil
    ) async throws(StoreError) -> HTTPResponse {
        var put = GCSRequest(operation, .put, address.session(path), key: session.key)
        let range = bytes.isEmpty ? "*" : "\(bytes.offset)-\(bytes.end - 1)"
        put.headers.append("content-range", "bytes \(range)/\(session.size)")
        put.headers.append("content-type", "application/octet-stream")
        put.headers.appendHash(of: digest)
        put.body = body
        put.answers = [308]
        if operation == .completeUpload { put.timeouts = .patient }
        return try await sendToSession(put)
    }

    /// Asks how many bytes the server holds; the object when the upload is finished.
    @discardableResult
    private func ask(
        _ path: String, _ session: UploadSession, _ operation: StoreOperation, _ progress: inout GCSResumableProgress
    ) async throws(StoreError) -> GCSResource? {
        var query = GCSRequest(operation, .put, address.session(path), key: session.key)
        query.headers.append("content-range", "bytes */\(session.size)")
        query.answers = [308]
        let response = try await sendToSession(query)
        if let finished = try resource(response, session, operation) { return finished }
        try note(response, sentTo: nil, session, operation, &progress)
        return nil
    }

    private func sendToSession(_ request: GCSRequest) async throws(StoreError) -> HTTPResponse {
        do throws(StoreError) {
            return try await send(request)
        } catch {
            guard error.code == .notFound || error.code == .missingContainer else { throw error }
            var error = error
            error.code = .missingUpload
            error.message = "the upload is gone: completed, cancelled or expired"
            throw error
        }
    }

    /// The finished object that a reply describes; nil when more bytes are wanted.
    private func resource(
        _ response: HTTPResponse, _ session: UploadSession, _ operation: StoreOperation
    ) throws(StoreError) -> GCSResource? {
        if response.status == 308 { return nil }
        guard operation == .completeUpload || operation == .listParts else {
            throw StoreError(.missingUpload, operation, key: session.key, message: "the upload has been completed")
        }
        let put = GCSRequest(operation, .put, address.session("/"), key: session.key)
        return try decode(GCSResource.self, response, put)
    }

    private func note(
        _ response: HTTPResponse, sentTo: Int64?, _ session: UploadSession, _ operation: StoreOperation,
        _ progress: inout GCSResumableProgress
    ) throws(StoreError) {
        if try resource(response, session, operation) != nil { return }
        guard let held = GCSResumableProgress.held(rangeHeader: response.headers["range"]) else {
            throw invalid(operation, session.key, "the server does not say how many bytes of the upload it holds")
        }
        let running = ObjectChecksums(goog: response.headers, field: "x-goog-running-hash").crc32c
        if let failure = progress.note(held: held, sentTo: sentTo, running: running) {
            throw error(failure, session, operation)
        }
    }

    private func error(
        _ failure: GCSResumableProgress.Failure, _ session: UploadSession, _ operation: StoreOperation
    ) -> StoreError {
        switch failure {
        case .lostParts:
            StoreError(
                .missingUpload, operation, key: session.key, message: "the server has lost earlier parts of the upload")
        case .corrupt:
            StoreError(
                .missingUpload, operation, key: session.key,
                message: "the server claims to hold more bytes than were sent")
        case .standstill:
            StoreError(
                .unavailable, operation, key: session.key, message: "the server takes no more bytes of the upload",
                retry: .transient)
        }
    }
}
