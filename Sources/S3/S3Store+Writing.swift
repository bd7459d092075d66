import AWS
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension S3Store {
    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try checkKey(request.key, .put)
        let attributes = try fitting(request.attributes, .put, request.key)
        let (response, algorithm) = try await withChecksum(knownFacts.checksum) { algorithm throws(StoreError) in
            var put = S3Request(.put, .put, key: request.key)
            put.headers.append(attributes)
            put.headers.append(configuration.encryption)
            put.headers.append(request.condition)
            put.headers.appendChecksum(algorithm, of: request.digest)
            if let body = request.body {
                put.body = .slice(body)
                put.payloadHash = AWSSigner.unsignedPayload
            }
            return try await sendWrite(put, under: request.condition)
        }
        guard let version = VersionToken(entityTag: response.headers["etag"]) else {
            throw invalid(.put, request.key, "the reply to a write has no ETag")
        }
        let reported = ObjectChecksums(s3: response.headers)
        learnReports(reported, to: algorithm)
        let ours = ObjectChecksums(request.digest)
        return WriteReceipt(version: version, checksums: reported, bytesVerified: reported.agrees(with: ours) == true)
    }

    /// Sends a conditional write. A version that must be there and is not is a failed condition, not a missing object.
    func sendWrite(_ request: S3Request, under condition: WriteCondition) async throws(StoreError) -> HTTPResponse {
        do throws(StoreError) {
            return try await send(request)
        } catch {
            throw Self.asCondition(error, condition)
        }
    }

    static func asCondition(_ error: StoreError, _ condition: WriteCondition) -> StoreError {
        guard case .matches = condition, error.code == .notFound else { return error }
        var error = error
        error.code = .preconditionFailed
        error.message = "the object that was to be replaced is gone"
        return error
    }

    /// Refuses a key that S3 cannot hold before anything is sent: some clones would store it under another name.
    func checkKey(_ key: ObjectKey, _ operation: StoreOperation) throws(StoreError) {
        if let problem = rules.problem(with: key) {
            throw StoreError(.invalidKey, operation, key: key, message: problem)
        }
    }

    /// The attributes as S3 keeps them; those that it cannot hold must have been dropped, and reported, before.
    func fitting(_ attributes: ObjectAttributes, _ operation: StoreOperation, _ key: ObjectKey) throws(StoreError)
        -> ObjectAttributes
    {
        let (kept, dropped) = rules.fit(attributes)
        guard dropped.isEmpty else {
            throw StoreError(
                .unsupportedObject, operation, key: key,
                message:
                    "S3 cannot hold these attributes: "
                    + dropped.map { ObjectKey($0).description }.joined(separator: ", ")
            )
        }
        return kept
    }

    /// Runs a write with a checksum header, and on clones that refuse it with a weaker one or none.
    ///
    /// A server that ever answered a checksum is trusted to understand them, and Amazon's own always is. What the
    /// server refuses is learned only when the same request without it succeeds.
    /// - Parameters:
    ///   - first: what to start with.
    ///   - onlyUnimplemented: fall back only when the server says that it lacks the header, not for any malformed
    ///     request.
    ///   - substitutes: whether a weaker checksum may take the place of the first; else none does.
    func withChecksum<Reply: Sendable>(
        _ first: S3ChecksumAlgorithm?, onlyUnimplemented: Bool = false, substitutes: Bool = true,
        _ body: (S3ChecksumAlgorithm?) async throws(StoreError) -> Reply
    ) async throws(StoreError) -> (Reply, S3ChecksumAlgorithm?) {
        var algorithm = first
        while true {
            do throws(StoreError) {
                let reply = try await body(algorithm)
                if algorithm != first { learn { $0.learn(checksum: algorithm) } }
                return (reply, algorithm)
            } catch {
                guard algorithm != nil, !configuration.isAWS, !knownFacts.answersChecksums,
                    error.mayRefuseChecksum(onlyUnimplemented: onlyUnimplemented)
                else { throw error }
                algorithm = substitutes ? algorithm.weaker : nil
            }
        }
    }

    /// Notes whether a server answers the checksum that it was sent.
    func learnReports(_ reported: ObjectChecksums, to algorithm: S3ChecksumAlgorithm?) {
        guard algorithm != nil, !configuration.isAWS else { return }
        if reported.isEmpty {
            if !knownFacts.answersChecksums { learn { $0.learnNoReportsOnWrite() } }
        } else if !knownFacts.answersChecksums {
            learn { $0.learnAnswersChecksums() }
        }
    }
}

extension StoreError {
    /// Whether the refusal may be about a checksum header that the server does not know.
    fileprivate func mayRefuseChecksum(onlyUnimplemented: Bool) -> Bool {
        if code == .unsupportedOperation { return true }
        guard status == 400, code == .invalidRequest else { return false }
        return !onlyUnimplemented || message.lowercased().contains("unsupported")
    }
}
