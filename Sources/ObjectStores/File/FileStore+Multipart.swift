import Buffers
import Digests
import ReplicationModel

extension FileStore {
    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        let id = try await perform(.beginUpload, request.key) { tree, _ throws(FileFailure) in
            guard request.size >= 0, request.partSize > 0 else {
                throw FileFailure(.invalidRequest, "an upload needs a size and a part size")
            }
            return try FileUpload.begin(request, in: tree)
        }
        return UploadSession(key: request.key, handle: id, size: request.size, partSize: request.partSize)
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let digest = try await perform(.uploadPart, session.key) { tree, cancellation throws(FileFailure) in
            let upload = try FileUpload.open(session, in: tree)
            let writer = try tree.scratch().id
            return try upload.write(part.number, at: part.offset, count: Int64(part.body.count), writer: writer) {
                file, path throws(FileFailure) in
                let found = try Self.write(
                    part.body, to: file, around: upload.openDirect(), at: part.offset, path, cancellation)
                guard found == part.digest else {
                    throw FileFailure(
                        .checksumMismatch, "the bytes of part \(part.number) do not have the checksum sent with them")
                }
                return found
            }
        }
        return PartReceipt(number: part.number, size: digest.length, tag: Self.tag(digest), digest: digest)
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let source = FileNames.path(of: part.source)
        let digest = try await perform(.copyPart, session.key) { tree, cancellation throws(FileFailure) in
            let upload = try FileUpload.open(session, in: tree)
            let writer = try tree.scratch().id
            let from = try tree.openFile(source)
            let (_, facts) = try Self.describe(part.source, from, tree.text(source))
            guard facts.version == part.sourceVersion else {
                throw FileFailure(.versionChanged, "the file to be copied was replaced or written to")
            }
            guard part.range.end <= facts.size else {
                throw FileFailure(.invalidRequest, "the range ends after the file, which has \(facts.size) bytes")
            }
            return try upload.write(part.number, at: part.offset, count: part.range.length, writer: writer) {
                file, path throws(FileFailure) in
                try Self.copy(part.range, of: from, to: file, at: part.offset, path, cancellation)
                try Self.checkUnchanged(from, facts, tree.text(source))
                let found = try Self.digest(
                    ByteRange(offset: part.offset, length: part.range.length), of: file, path, cancellation)
                if let digest = part.digest, digest != found {
                    throw FileFailure(
                        .checksumMismatch,
                        "the range of the file to be copied does not have the checksum it should have")
                }
                return found
            }
        }
        return PartReceipt(number: part.number, size: digest.length, tag: Self.tag(digest), digest: digest)
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await perform(.listParts, session.key) { tree, _ throws(FileFailure) in
            let records = try FileUpload.open(session, in: tree).table().records.values
            return records.sorted { $0.number < $1.number }.map {
                UploadedPart(
                    number: $0.number, size: $0.digest.length, tag: Self.tag($0.digest),
                    checksums: ObjectChecksums($0.digest))
            }
        }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await perform(.completeUpload, session.key) { tree, cancellation throws(FileFailure) in
            let upload = try FileUpload.open(session, in: tree)
            let (file, digest) = try upload.assemble(request, writer: try tree.scratch().id, cancellation)
            try FileAttributes.write(request.attributes, to: file, tree.text(FileNames.path(of: session.key)))
            let facts = try upload.install(file, under: request.condition)
            // The object stands whatever becomes of the rest of the upload; without its data it cannot be continued.
            do throws(FileFailure) { try FileUpload.remove(session.handle, in: tree) } catch {}
            return WriteReceipt(version: facts.version, checksums: ObjectChecksums(digest), bytesVerified: true)
        }
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await perform(.abortUpload, session.key) { tree, _ throws(FileFailure) in
            try FileUpload.remove(session.handle, in: tree)
        }
    }

    /// Oldest first.
    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        do throws(StoreError) {
            return try await perform(.openUploads, nil) { tree, _ throws(FileFailure) in
                let all = try FileUpload.all(in: tree).filter { $0.description.key.hasPrefix(request.prefix) }
                let uploads = all.map { upload in
                    OpenUpload(
                        session: UploadSession(
                            key: upload.description.key, handle: upload.id, size: upload.description.size,
                            partSize: upload.description.partSize), initiated: upload.description.initiated)
                }
                return OpenUploadsPage(page: request, of: uploads)
            }
        } catch {
            if isAwaited(error) { return OpenUploadsPage(uploads: [], next: nil) }
            throw error
        }
    }

    /// The store's name for a part: what is in it.
    private static func tag(_ digest: ContentDigest) -> String {
        "\(String(digest.crc64nvme, radix: 16))-\(digest.length)"
    }
}
