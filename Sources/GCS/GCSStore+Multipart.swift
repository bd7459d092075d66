import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension GCSStore {
    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try requireValid(request.key, .beginUpload)
        let attributes = try fitting(request.attributes, .beginUpload, request.key)
        guard request.partSize > 0,
            request.size <= request.partSize || request.partSize % Int64(GCSResumableProgress.quantum) == 0
        else {
            throw StoreError(
                .invalidRequest, .beginUpload, key: request.key,
                message: "parts must be multiples of \(GCSResumableProgress.quantum) bytes")
        }
        let parts = (request.size + request.partSize - 1) / request.partSize
        guard parts > Int64(sequentialPartLimit), knownFacts.takesMultipart else {
            return try await beginResumable(request, attributes)
        }
        do throws(StoreError) {
            return try await beginMultipart(request, attributes)
        } catch {
            guard error.mayMeanUnsupported, error.code != .missingContainer else { throw error }
            let session = try await beginResumable(request, attributes)
            learn { $0.learnNoMultipart() }
            return session
        }
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        switch try handle(of: session, .uploadPart) {
        case .multipart(let id, let staging): try await uploadMultipart(part, id, staging, of: session)
        case .resumable(let path, _): try await uploadResumable(part, to: path, of: session)
        case .leftover: throw completed(session, .uploadPart)
        }
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        throw StoreError(
            .unsupportedOperation, .copyPart, key: session.key,
            message: "Cloud Storage cannot make a part from a range of an object")
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        switch try handle(of: session, .listParts) {
        case .multipart(let id, let staging): try await listMultipart(id, staging, of: session)
        case .resumable(let path, _): try await listResumable(path, session)
        case .leftover: throw completed(session, .listParts)
        }
    }

    package func completeUpload(_ request: CompleteRequest, of session: UploadSession) async throws(StoreError)
        -> WriteReceipt
    {
        guard request.parts.enumerated().allSatisfy({ $0.element.number == $0.offset + 1 }),
            request.parts.reduce(0, { $0 + $1.size }) == session.size
        else {
            throw StoreError(
                .invalidRequest, .completeUpload, key: session.key,
                message: "the parts do not make up the whole object, in order")
        }
        switch try handle(of: session, .completeUpload) {
        case .multipart(let id, let staging): return try await completeMultipart(request, id, staging, of: session)
        case .resumable(let path, let condition):
            return try await completeResumable(request, at: path, condition, of: session)
        case .leftover: throw completed(session, .completeUpload)
        }
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        switch try handle(of: session, .abortUpload) {
        case .multipart(let id, let staging): try await abortMultipart(id, staging, of: session)
        case .resumable(let path, _): try await abortResumable(path, session)
        case .leftover(let generation, let staging):
            try await discard(staging, generation: generation, of: session)
        }
    }

    // MARK: handles

    /// A handle with the temporary name that belongs to it.
    private enum Handle {
        case multipart(id: String, staging: ObjectKey)
        case resumable(path: String, condition: WriteCondition)
        case leftover(generation: Int64, staging: ObjectKey)
    }

    private func handle(of session: UploadSession, _ operation: StoreOperation) throws(StoreError) -> Handle {
        switch (GCSUploadHandle(session.handle), session.stagingKey) {
        case (.multipart(let id), .some(let staging)): return .multipart(id: id, staging: staging)
        case (.leftover(let generation), .some(let staging)): return .leftover(generation: generation, staging: staging)
        case (.resumable(let path, let condition), _): return .resumable(path: path, condition: condition)
        default:
            throw StoreError(
                .invalidRequest, operation, key: session.key, message: "the upload was not opened by this kind of store"
            )
        }
    }

    private func completed(_ session: UploadSession, _ operation: StoreOperation) -> StoreError {
        StoreError(
            .missingUpload, operation, key: session.key,
            message: "the upload was completed under a temporary name; it can only be aborted")
    }
}

extension StoreError {
    /// Whether another way to the same end is worth a try: the server does not know the call, or the credentials lack
    /// its special right.
    var mayMeanUnsupported: Bool {
        switch code {
        case .unsupportedOperation, .forbidden: true
        case .invalidRequest, .notFound, .missingContainer: [400, 404, 405].contains(status)
        default: false
        }
    }
}
