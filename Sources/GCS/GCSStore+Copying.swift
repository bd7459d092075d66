import HTTPTransport
package import ObjectStores
import ReplicationModel

extension GCSStore {
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try requireValid(request.destination, .copy)
        let version = try GCSVersion(request.sourceVersion, .copy, key: request.source)
        let resource: GCSResource
        do throws(StoreError) {
            resource = try await rewrite(
                request.source, version, to: request.destination, size: request.size, under: request.condition, .copy)
        } catch {
            throw try await sourceOrDestination(error, request, version)
        }
        // Nobody but the server has seen the bytes: what it names is for the caller to compare.
        return WriteReceipt(version: resource.version.token, checksums: resource.checksums, bytesVerified: false)
    }

    /// Copies one version within the bucket, bytes and attributes, step by step until the server says that it is done.
    func rewrite(
        _ source: ObjectKey, _ version: GCSVersion, to destination: ObjectKey, size: Int64,
        under condition: WriteCondition,
        _ operation: StoreOperation
    ) async throws(StoreError) -> GCSResource {
        var token: String?
        var written: Int64 = 0
        // A step writes at least 1 MiB; some spare for steps that write nothing.
        var stepsLeft = size / (1 << 20) + 16
        while true {
            var url = address.rewrite(source, to: destination)
            url.append("ifSourceGenerationMatch", plain: String(version.generation))
            url.append("ifSourceMetagenerationMatch", plain: String(version.metageneration))
            try url.append(condition, operation, key: destination)
            url.appendIfPresent("destinationKmsKeyName", configuration.kmsKeyName)
            url.append("fields", GCSRewriteStep.fields)
            if let token { url.append("rewriteToken", token) }
            var post = GCSRequest(operation, .post, url, key: destination)
            post.timeouts = .patient
            let step = try decode(GCSRewriteStep.self, try await send(post), post)
            if step.done {
                guard let resource = step.resource, resource.size == size else {
                    throw invalid(operation, destination, "the server finished a copy and does not say what it made")
                }
                return resource
            }
            stepsLeft -= 1
            guard let next = step.rewriteToken, step.totalBytesRewritten >= written, stepsLeft > 0 else {
                throw invalid(operation, destination, "the server does not get on with the copy")
            }
            if Task.isCancelled {
                throw StoreError(.cancelled, operation, key: destination, message: "the copy was interrupted")
            }
            token = next
            written = step.totalBytesRewritten
        }
    }

    /// The server does not say whose condition failed or which object is missing: one look at the source tells.
    private func sourceOrDestination(
        _ error: StoreError, _ request: CopyRequest, _ version: GCSVersion
    ) async throws(StoreError) -> StoreError {
        guard error.code == .preconditionFailed || error.code == .notFound else { return error }
        do throws(StoreError) {
            let found = try await resource(of: request.source, .copy)
            if found.version == version {
                // It is there as it was, so the destination is not as it should be.
                var error = error
                error.code = .preconditionFailed
                return error
            }
        } catch {
            guard error.code == .notFound else { throw error }
        }
        return StoreError(
            .versionChanged, .copy, key: request.source,
            message: "the object has been replaced or deleted since it was listed",
            status: error.status)
    }
}
