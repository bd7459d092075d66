import Cryptography
import Digests

/// The blob that a copy reads: it has been found, its reader is allowed to, and its conditions hold.
struct AzureCopySource {
    let blob: StoredObject
    /// Without the query, which may hold a signature.
    let url: String

    /// The bytes of `x-ms-source-range`, or all of them, once they have the checksum that the request says.
    func content(_ request: AzureRequest, limit: Int) throws -> Body {
        guard !blob.attributes.isArchived else { throw AzureError.blobArchived }
        var content = blob.body
        if let text = request.header("x-ms-source-range") {
            content = content.slice(try AzureRange(source: text, size: blob.size).bytes)
        }
        guard content.count <= limit else {
            throw AzureError.outOfRangeInput("The source has more than \(limit) bytes.")
        }
        if let given = try request.header("x-ms-source-content-crc64").map({ try AzureChecksum.crc64($0) }) {
            var computed: UInt64 = 0
            try content.forEachPiece { computed = CRC64NVME.update(computed, $0) }
            guard given == computed else { throw AzureError.crc64Mismatch(given: given, computed: computed) }
        }
        if let given = try request.header("x-ms-source-content-md5").map({ try AzureChecksum.md5($0) }) {
            var digest = MD5()
            try content.forEachPiece { digest.update($0) }
            let computed = digest.finalize()
            guard given == computed else { throw AzureError.md5Mismatch(given: given, computed: computed) }
        }
        return content
    }
}

extension AzureBlobFrontEnd {
    private static let maximumSourceURL = 2_048

    /// - Parameter takesAccountKey: whether the account key that authorizes the request opens sources of its account
    ///   too, as it does for Copy Blob; elsewhere the URL must carry a signature of its own.
    func copySource(_ request: AzureRequest, takesAccountKey: Bool) throws(AzureError) -> AzureCopySource {
        guard let url = request.header("x-ms-copy-source") else { throw .missingHeader("x-ms-copy-source") }
        guard url.utf8.count <= Self.maximumSourceURL else { throw .invalidHeader("x-ms-copy-source", "(too long)") }
        let port = services.endpoint.split(separator: ":").last ?? ""
        let ownHosts = ["http://127.0.0.1:\(port)", "http://localhost:\(port)"]
        guard let host = ownHosts.first(where: { url.hasPrefix($0 + "/") }) else {
            throw .unreadableSource(.notSimulated("copies from other servers"))
        }
        let source = try AzureRequest(
            method: "GET", target: String(url.dropFirst(host.utf8.count)), headers: try sourceHeaders(request))
        let isOpen =
            takesAccountKey && usesAccountKey(request) && source.account == request.account
            && source.parameter("sig") == nil
        do {
            if !isOpen { try authorize(source, .getBlob) }
            let blob = try blob(source)
            try AzureConditions(request, prefix: "x-ms-source-").checkSource(blob)
            return AzureCopySource(blob: blob, url: String(url.prefix { $0 != "?" }))
        } catch {
            switch error.code {
            case "BlobNotFound", "ContainerNotFound", "SourceConditionNotMet", "InvalidHeaderValue": throw error
            default: throw .unreadableSource(error)
            }
        }
    }
}

extension AzureBlobFrontEnd {
    /// What the service sends along when it fetches a copy's source: the token that the request has for it.
    private func sourceHeaders(_ request: AzureRequest) throws(AzureError) -> [(name: String, value: String)] {
        guard let authorization = request.header("x-ms-copy-source-authorization") else { return [] }
        guard authorization.hasPrefix("Bearer "), request.version >= AzureVersion.sourceTokens else {
            throw .invalidHeader("x-ms-copy-source-authorization", "(not shown)")
        }
        return [("authorization", authorization), ("x-ms-version", request.version)]
    }
}

extension AzureError {
    /// A source that cannot be read: the outer code is always the same, headers say what the source answered.
    static func unreadableSource(_ cause: AzureError) -> AzureError {
        var error = cannotVerifyCopySource
        error.headers = [
            ("x-ms-copy-source-status-code", String(cause.status)), ("x-ms-copy-source-error-code", cause.code),
        ]
        return error.with("CopySourceErrorMessage", cause.message)
    }
}
