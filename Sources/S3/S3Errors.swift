import HTTPStores
package import ObjectStores
package import ReplicationModel

extension S3Failure {
    /// The error of a call, with a message that says what to do. Source: Amazon S3 API reference, error responses.
    ///
    /// - Parameter now: seconds since 1970, for a Retry-After that is a date.
    package func error(_ operation: StoreOperation, key: ObjectKey?, bucket: String, now: Int64) -> StoreError {
        let (code, advice, retry) = verdict(operation, key: key, bucket: bucket)
        var text = advice
        if !message.isEmpty { text += text.isEmpty ? message : " (the server says: \(message))" }
        if text.isEmpty { text = "the server answered HTTP \(status)" }
        var delayed = retry
        if retry == .transient, let delay = StoreError.retryAfter(headers, now: now) { delayed = .after(delay) }
        return StoreError(
            code, operation, key: key, message: text, retry: delayed, status: status, serviceCode: self.code,
            requestID: requestID)
    }

    private typealias Verdict = (StoreError.Code, String, StoreError.Retry)

    private func verdict(_ operation: StoreOperation, key: ObjectKey?, bucket: String) -> Verdict {
        switch code {
        case "": byStatus(operation, key: key, bucket: bucket)
        case "NoSuchKey", "NoSuchVersion": (.notFound, "no such object", .never)
        case "NoSuchBucket": Self.missing(bucket)
        case "NoSuchUpload": (.missingUpload, "the upload is gone: completed, aborted or expired", .never)
        case "PreconditionFailed": failedCondition(operation)
        case "ConditionalRequestConflict", "OperationAborted": conflict(operation)
        case "AccessDenied", "AllAccessDisabled", "AccountProblem", "UnauthorizedAccess", "AccessForbidden",
            "Forbidden":
            Self.denied(operation, bucket: bucket)
        case "SignatureDoesNotMatch", "InvalidSignature":
            (.unauthenticated, "the secret key does not match the access key, or a proxy changed the request", .never)
        case "InvalidAccessKeyId", "InvalidAccessKey", "NoSuchAccessKey":
            (
                .unauthenticated,
                "the server does not know this access key; check AWS_ACCESS_KEY_ID or the profile, and the endpoint",
                .never
            )
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken":
            (.unauthenticated, "the temporary credentials have expired; fetch new ones", .transient)
        case "RequestTimeTooSkewed":
            (.unauthenticated, "this machine's clock differs too much from the server's; set it", .never)
        case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
            "IllegalLocationConstraintException":
            (.invalidRequest, elsewhere(bucket), .never)
        case "InvalidObjectState":
            (.archived, "the object is archived; restore it first", .never)
        case "KeyTooLongError", "KeyTooLong", "InvalidURI": (.invalidKey, "the server cannot hold this key", .never)
        case "EntityTooLarge", "MaxMessageLengthExceeded":
            (.unsupportedObject, "the object is larger than the server takes", .never)
        case "MetadataTooLarge": (.unsupportedObject, "the metadata is larger than the server takes", .never)
        case "NotImplemented", "MethodNotAllowed", "XNotImplemented", "UnsupportedOperation":
            (.unsupportedOperation, "the server does not implement this call or one of its headers", .never)
        case "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidChecksum":
            (.checksumMismatch, "the server received other bytes than were sent", .transient)
        case "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException", "TooManyRequestsException", "TooManyRequests", "RequestLimitExceeded",
            "BandwidthLimitExceeded", "PriorRequestNotComplete", "Busy":
            (.throttled, "the server asks to slow down", .transient)
        case "ServiceUnavailable": (.unavailable, "the server cannot answer now", .transient)
        case "RequestTimeout", "RequestTimeoutException":
            (.network, "the server waited too long for the request's bytes", .transient)
        case "InternalError", "InternalFailure", "InternalServerError": Self.broken(operation)
        case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity":
            (.quotaExceeded, "the quota is used up", .never)
        case "XMinioStorageFull", "InsufficientStorage", "StorageFull":
            (.noSpace, "the server's storage is full", .never)
        case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
            (.invalidRequest, "the server refuses the upload's parts", .never)
        default: byStatus(operation, key: key, bucket: bucket)
        }
    }

    private func byStatus(_ operation: StoreOperation, key: ObjectKey?, bucket: String) -> Verdict {
        switch status {
        case 301, 307, 308: (.invalidRequest, elsewhere(bucket), .never)
        case 400 where operation == .head && code.isEmpty:
            (
                .invalidRequest,
                "the server refuses the request and does not say why: check the credentials, the region and the endpoint",
                .never
            )
        case 401: (.unauthenticated, "the server wants other credentials", .never)
        case 403: Self.denied(operation, bucket: bucket)
        case 404: key == nil ? Self.missing(bucket) : (.notFound, "no such object", .never)
        case 405, 501: (.unsupportedOperation, "the server does not implement this call", .never)
        case 408: (.network, "the server waited too long for the request", .transient)
        case 409: conflict(operation)
        case 412: failedCondition(operation)
        case 416: (.invalidRequest, "the range lies outside the object", .never)
        case 429, 509: (.throttled, "the server asks to slow down", .transient)
        case 507: (.noSpace, "the server's storage is full", .never)
        // Amazon answers 503 before it does anything; a gateway in between may not.
        case 503 where !code.isEmpty || !operation.changesObjects:
            (.unavailable, "the server cannot answer now", .transient)
        case 500...599: Self.broken(operation)
        case 300..<400: (.invalidRequest, "the server redirects, which is not followed; check the endpoint", .never)
        default: (.invalidRequest, "", .never)
        }
    }

    private func failedCondition(_ operation: StoreOperation) -> Verdict {
        let ofSource = condition?.lowercased().contains("copy-source") ?? (operation == .copyPart)
        return operation == .read || operation == .head || ofSource
            ? (.versionChanged, "the object has been replaced since it was listed", .never)
            : (.preconditionFailed, "somebody else wrote this key meanwhile", .never)
    }

    private func conflict(_ operation: StoreOperation) -> Verdict {
        // S3 wants a conflicting multipart upload to start again from its first part.
        operation == .completeUpload
            ? (.missingUpload, "another write to this key was under way; the upload must be made again", .never)
            : (.unavailable, "another write to this key is under way", .transient)
    }

    private func elsewhere(_ bucket: String) -> String {
        region.map { "bucket \(bucket) is in region \($0); name that region or its endpoint" }
            ?? "bucket \(bucket) is at another endpoint or in another region; name the right one"
    }

    private static func missing(_ bucket: String) -> Verdict {
        (.missingContainer, "there is no bucket \(bucket) at this endpoint; check its name and the endpoint", .never)
    }

    private static func broken(_ operation: StoreOperation) -> Verdict {
        (.unavailable, "the server failed", operation.changesObjects ? .unknownOutcome : .transient)
    }

    private static func denied(_ operation: StoreOperation, bucket: String) -> Verdict {
        (.forbidden, "access denied: the credentials may lack \(operation.permission) on \(bucket)", .never)
    }
}

extension StoreOperation {
    /// Whether an attempt that failed half-way may have changed what readers see. Parts are invisible and can be sent
    /// again.
    var changesObjects: Bool {
        switch self {
        case .put, .completeUpload, .copy, .delete: true
        case .list, .head, .read, .beginUpload, .uploadPart, .copyPart, .listParts, .abortUpload, .openUploads: false
        }
    }

    /// The right that the call needs in the words of IAM policies.
    fileprivate var permission: String {
        switch self {
        case .list: "s3:ListBucket"
        case .head, .read: "s3:GetObject (and s3:ListBucket, without which missing objects look forbidden)"
        case .put, .beginUpload, .uploadPart, .completeUpload: "s3:PutObject"
        case .copy, .copyPart: "s3:GetObject or s3:PutObject"
        case .listParts: "s3:ListMultipartUploadParts"
        case .abortUpload: "s3:AbortMultipartUpload"
        case .openUploads: "s3:ListBucketMultipartUploads"
        case .delete: "s3:DeleteObject"
        }
    }
}
