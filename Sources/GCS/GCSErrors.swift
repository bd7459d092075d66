import HTTPStores
import ObjectStores
import ReplicationModel

extension GCSFailure {
    /// The error of a call, with a message that says what to do.
    ///
    /// - Parameter now: seconds since 1970, for a Retry-After that is a date.
    func error(_ operation: StoreOperation, key: ObjectKey?, bucket: String, now: Int64) -> StoreError {
        let (code, advice, retry) = verdict(operation, key: key, bucket: bucket)
        var text = advice
        if !message.isEmpty { text += text.isEmpty ? message : " (the server says: \(message))" }
        if text.isEmpty { text = "the server answered HTTP \(status)" }
        var delayed = retry
        if retry == .transient, let delay = StoreError.retryAfter(headers, now: now) { delayed = .after(delay) }
        return StoreError(
            code, operation, key: key, message: text, retry: delayed, status: status, serviceCode: reason,
            requestID: requestID)
    }

    private typealias Verdict = (StoreError.Code, String, StoreError.Retry)

    private func verdict(_ operation: StoreOperation, key: ObjectKey?, bucket: String) -> Verdict {
        switch status {
        case 301, 302, 307: (.invalidRequest, "the server redirects, which is not followed; check the endpoint", .never)
        case 400: malformed(operation)
        case 401: (.unauthenticated, "the token is refused", .transient)
        case 403: refused(operation, bucket: bucket)
        case 404: absent(key: key, bucket: bucket)
        case 405, 501: Self.unsupported
        case 408: (.network, "the server waited too long for the request", .transient)
        case 409: (.unavailable, "another change was under way", .transient)
        case 410, 499: operation.isOfUpload ? Self.sessionGone : (.notFound, "no such object", .never)
        case 412:
            operation == .read || operation == .head
                ? (.versionChanged, "the object has been replaced since it was listed", .never)
                : (.preconditionFailed, "somebody else wrote this name meanwhile", .never)
        case 413: Self.tooLarge
        case 416: (.invalidRequest, "the range lies outside the object", .never)
        case 429: (.throttled, "the server asks to slow down", .transient)
        // The service itself names a reason; if it had begun nevertheless, the condition of the repeated write shows it.
        case 503 where operation == .put && !reason.isEmpty: (.throttled, "the server cannot answer now", .transient)
        // Not 429: the server may have begun.
        case 503: (.throttled, "the server cannot answer now", Self.uncertain(operation))
        case 500...599: (.unavailable, "the server failed", Self.uncertain(operation))
        default: (.invalidRequest, "", .never)
        }
    }

    private func malformed(_ operation: StoreOperation) -> Verdict {
        switch reason {
        case "BadDigest": return Self.damaged
        case "notImplemented", "NotImplemented": return Self.unsupported
        case "EntityTooLarge", "uploadTooLarge": return Self.tooLarge
        case "InvalidObjectName": return (.invalidKey, "the server cannot hold this name", .never)
        case "MetadataTooLarge": return (.unsupportedObject, "the metadata is larger than the server takes", .never)
        default: break
        }
        let words = message.lowercased()
        if operation.isWrite, words.contains("crc32c") || words.contains("md5 hash") { return Self.damaged }
        if words.contains("object name") { return (.invalidKey, "the server cannot hold this name", .never) }
        return (.invalidRequest, "", .never)
    }

    private func refused(_ operation: StoreOperation, bucket: String) -> Verdict {
        switch reason {
        case "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "SlowDown":
            (.throttled, "the server asks to slow down", .transient)
        case "retentionPolicyNotMet", "objectUnderActiveHold":
            (.forbidden, "a retention policy or hold protects the object", .never)
        default:
            (.forbidden, "access denied: the credentials may lack \(operation.permission) on \(bucket)", .never)
        }
    }

    private func absent(key: ObjectKey?, bucket: String) -> Verdict {
        let missingBucket = reason == "NoSuchBucket" || message.lowercased().contains("bucket does not exist")
        if key == nil || missingBucket {
            return (
                .missingContainer, "there is no bucket \(bucket) at this endpoint; check its name and the endpoint",
                .never
            )
        }
        return reason == "NoSuchUpload" ? Self.sessionGone : (.notFound, "no such object", .never)
    }

    private static let unsupported: Verdict = (.unsupportedOperation, "the server does not implement this call", .never)
    private static let tooLarge: Verdict = (.unsupportedObject, "the object is larger than the server takes", .never)
    private static let damaged: Verdict = (
        .checksumMismatch, "the server received other bytes than were sent", .transient
    )
    private static let sessionGone: Verdict = (
        .missingUpload, "the upload is gone: completed, cancelled or expired", .never
    )

    private static func uncertain(_ operation: StoreOperation) -> StoreError.Retry {
        operation.changesObjects ? .unknownOutcome : .transient
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

    fileprivate var isOfUpload: Bool {
        switch self {
        case .uploadPart, .listParts, .completeUpload, .abortUpload: true
        default: false
        }
    }

    /// The permission that the call needs.
    fileprivate var permission: String {
        switch self {
        case .list: "storage.objects.list"
        case .head, .read: "storage.objects.get"
        case .put, .beginUpload, .uploadPart, .copyPart:
            "storage.objects.create (and storage.objects.delete to replace an object)"
        case .completeUpload, .copy: "storage.objects.get, storage.objects.create or storage.objects.delete"
        case .listParts: "storage.multipartUploads.listParts"
        case .abortUpload: "storage.multipartUploads.abort"
        case .openUploads: "storage.multipartUploads.list"
        case .delete: "storage.objects.delete"
        }
    }
}
