// What the rest of the simulator asks of the front end.
extension AzureBlobFrontEnd {
    package var standingDigests: DigestSet { [] }

    /// ETags are opaque here: they rise with every write and say nothing about the bytes.
    package func etag(for digests: BodyDigests) -> String { newETag() }

    package func errorResponse(_ error: FaultError, _ exchange: Exchange) -> Response {
        let refused: AzureError
        switch error {
        case .status(let status, let code, let message):
            let usual = Self.usualError(status)
            refused = AzureError(status, code ?? usual.code, message ?? usual.message)
        case .expiredCredentials:
            refused = .authenticationFailed("Signature not valid in the specified time frame: it has expired.")
        case .clockSkewed:
            refused = .authenticationFailed("Request date header too old.")
        case .slowDown: refused = Self.usualError(503)
        case .notImplemented: refused = .notSimulated("this operation")
        }
        return errorResponse(
            refused, requestID: services.nextRequestID(), isHead: exchange.request.method == "HEAD")
    }

    private static func usualError(_ status: Int) -> AzureError {
        switch status {
        case 400: .invalidInput
        case 401: .noAuthentication
        case 403:
            AzureError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        case 404: .blobNotFound
        case 408, 500:
            AzureError(status, "OperationTimedOut", "Operation could not be completed within the specified time.")
        case 409: .blobExists
        case 412: .conditionNotMet
        case 416: .invalidRange
        case 429:
            AzureError(429, "TooManyRequests", "Operations per second is over the account limit.")
        case 501: .notSimulated("this operation")
        case 503: AzureError(503, "ServerBusy", "The server is busy.")
        default:
            AzureError(status, "InternalError", "The server encountered an internal error. Please retry the request.")
        }
    }
}

extension AzureOperation {
    /// Which faults can apply.
    var kind: RequestTarget.Kind {
        switch self {
        case .getBlob, .getBlobProperties: .read
        case .listBlobs: .list
        case .putBlob, .putBlock: .write
        case .putBlockList, .copyBlob, .copyBlobFromURL, .putBlobFromURL: .commit
        case .putBlockFromURL: .partCopy
        case .deleteBlob, .batch: .delete
        default: .other
        }
    }
}
