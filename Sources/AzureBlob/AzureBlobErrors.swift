import Azure
import HTTPStores
import ObjectStores
import ReplicationModel

extension AzureBlobFailure {
    /// The error of a call, with a message that says what to do.
    ///
    /// - Parameter now: seconds since 1970, for a Retry-After that is a date.
    func error(_ operation: StoreOperation, key: ObjectKey?, container: String, now: Int64) -> StoreError {
        let (code, advice, retry) = verdict(operation, key: key, container: container)
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

    private func verdict(_ operation: StoreOperation, key: ObjectKey?, container: String) -> Verdict {
        if isAboutSource { return aboutSource(operation) }
        return aboutObject(operation, container: container) ?? aboutAccess(operation, container: container)
            ?? aboutRequest(operation) ?? byStatus(operation, key: key, container: container)
    }

    private func aboutObject(_ operation: StoreOperation, container: String) -> Verdict? {
        switch code {
        case "BlobNotFound": (.notFound, "no such blob", .never)
        case "ContainerNotFound", "ContainerDisabled": Self.missing(container)
        case "ContainerBeingDeleted": (.missingContainer, "container \(container) is being deleted", .never)
        case "BlobAlreadyExists": (.preconditionFailed, "another blob is there", .never)
        // Signatures that may create and not write get this instead.
        case "UnauthorizedBlobOverwrite":
            (.preconditionFailed, "another blob is there, and the credentials may not overwrite it", .never)
        case "ConditionNotMet", "TargetConditionNotMet": failedCondition(operation)
        case "SourceConditionNotMet": (.versionChanged, "the source has been replaced since it was listed", .never)
        case "BlobArchived": (.archived, "the blob is in the archive tier; rehydrate it first", .never)
        case "BlobBeingRehydrated": (.archived, "the blob is still being rehydrated from the archive tier", .never)
        case "SnapshotsPresent":
            (.forbidden, "the blob has snapshots, which deleting it would destroy; delete them first", .never)
        case "BlobImmutableDueToPolicy": (.forbidden, "an immutability policy or legal hold protects the blob", .never)
        case "LeaseIdMissing", "LeaseAlreadyPresent", "LeaseIdMismatchWithBlobOperation",
            "LeaseNotPresentWithBlobOperation":
            (.forbidden, "somebody holds a lease on the blob; break the lease or wait for its end", .never)
        case "PendingCopyOperation": (.unavailable, "a copy onto this blob is still pending", .transient)
        case "InvalidBlobType", "InvalidBlobTier": (.unsupportedObject, "the blob there is no block blob", .never)
        case "InvalidBlockList":
            (.missingUpload, "blocks of the upload are gone: committed, overwritten, or older than a week", .never)
        case "InvalidBlobOrBlock", "InvalidBlockId":
            (
                .invalidRequest,
                "blocks of an unfinished upload by another program, with names of another length, wait under this key; they vanish a "
                    + "week after its last block, or when a whole blob is written there", .never
            )
        default: nil
        }
    }

    private func aboutAccess(_ operation: StoreOperation, container: String) -> Verdict? {
        switch code {
        case "AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation":
            (
                .unauthenticated, unauthenticated,
                code == "InvalidAuthenticationInfo" && status == 401 ? .transient : .never
            )
        case "PublicAccessNotPermitted":
            (.unauthenticated, "the account allows no anonymous access; set credentials", .never)
        case "KeyBasedAuthenticationNotPermitted":
            (.forbidden, "the account allows no shared keys and no signatures made with them", .never)
        case "AuthorizationFailure":
            (.forbidden, "access denied: the account's firewall may not admit this network", .never)
        case "AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch",
            "InsufficientAccountPermissions":
            Self.denied(operation, container: container)
        case "AuthorizationProtocolMismatch": (.forbidden, "the shared access signature is good for https only", .never)
        case "AuthorizationSourceIPMismatch":
            (.forbidden, "the shared access signature is not good for this network address", .never)
        case "AccountIsDisabled": (.forbidden, "the storage account is disabled", .never)
        default: nil
        }
    }

    private func aboutRequest(_ operation: StoreOperation) -> Verdict? {
        switch code {
        case "ServerBusy": (.throttled, "the server asks to slow down", .transient)
        case "Md5Mismatch", "Crc64Mismatch":
            (.checksumMismatch, "the server received other bytes than were sent", .transient)
        case "InvalidUri", "InvalidResourceName", "RequestUrlFailedToParse":
            (.invalidKey, "the server cannot hold this key", .never)
        case "RequestBodyTooLarge": (.unsupportedObject, "the object is larger than the server takes", .never)
        case "MetadataTooLarge", "InvalidMetadata", "EmptyMetadataKey":
            (.unsupportedObject, "the server does not take the object's metadata", .never)
        case "BlockCountExceedsLimit", "BlockListTooLong":
            (.unsupportedObject, "more blocks than a blob can have wait under this key", .never)
        case "AccountLimitExceeded", "AccountQuotaExceeded": (.quotaExceeded, "the account's quota is used up", .never)
        case "UnsupportedHeader", "UnsupportedHttpVerb", "UnsupportedQueryParameter", "NotImplemented",
            "APINotImplemented",
            "FeatureNotSupported":
            (.unsupportedOperation, "the server does not implement this call or one of its headers", .never)
        default: nil
        }
    }

    private func byStatus(_ operation: StoreOperation, key: ObjectKey?, container: String) -> Verdict {
        switch status {
        case 401: (.unauthenticated, "the server wants other credentials", .never)
        case 403: Self.denied(operation, container: container)
        case 404: key == nil ? Self.missing(container) : (.notFound, "no such blob", .never)
        case 405, 501, 505: (.unsupportedOperation, "the server does not implement this call", .never)
        case 408: (.network, "the server waited too long for the request", .transient)
        case 409: (.invalidRequest, "the request conflicts with the state of the blob", .never)
        case 412, 304: failedCondition(operation)
        case 413: (.unsupportedObject, "the object is larger than the server takes", .never)
        case 416: (.invalidRequest, "the range lies outside the blob", .never)
        case 429: (.throttled, "the server asks to slow down", .transient)
        case 507: (.quotaExceeded, "the server's storage is full", .never)
        // The service answers 503 before it does anything; a gateway in between may not.
        case 503 where !code.isEmpty || !operation.changesObjects:
            (.unavailable, "the server cannot answer now", .transient)
        case 500...599: (.unavailable, "the server failed", operation.changesObjects ? .unknownOutcome : .transient)
        case 300..<400: (.invalidRequest, "the server redirects, which is not followed; check the endpoint", .never)
        default: (.invalidRequest, "", .never)
        }
    }

    /// Whether the service could not read the source of a copy by URL, so that its status is about that.
    private var isAboutSource: Bool {
        code == "CannotVerifyCopySource" || !sourceCode.isEmpty || (sourceStatus != 0 && sourceStatus != 200)
    }

    private func aboutSource(_ operation: StoreOperation) -> Verdict {
        let source = sourceCode.isEmpty ? "" : " (\(sourceCode))"
        return switch (sourceCode, sourceStatus == 0 ? status : sourceStatus) {
        case ("OperationTimedOut", _), ("InternalError", _), ("ServerBusy", _), (_, 500...599):
            (.unavailable, "the server could not read the source of the copy now\(source)", .transient)
        case (_, 404): (.notFound, "the source of the copy is gone", .never)
        case (_, 412), (_, 304): (.versionChanged, "the source has been replaced since it was listed", .never)
        case ("BlobArchived", _):
            (.archived, "the source of the copy is in the archive tier; rehydrate it first", .never)
        default:
            (
                .forbidden,
                "the server may not read the source of the copy\(source): that needs the account key, a signature or a token that may "
                    + "read, or a public container", .never
            )
        }
    }

    private func failedCondition(_ operation: StoreOperation) -> Verdict {
        operation == .read || operation == .head
            ? (.versionChanged, "the blob has been replaced since it was listed", .never)
            : (.preconditionFailed, "somebody else wrote this key meanwhile", .never)
    }

    /// What is wrong with the credentials. The service's own detail may quote a signature and is shown where it names
    /// times only.
    private var unauthenticated: String {
        if detail.hasPrefix("Signature not valid in the specified time frame") {
            return "the shared access signature is not valid now: \(detail)"
        }
        if detail.hasPrefix("Request date header") {
            return "this machine's clock differs too much from the server's; set it"
        }
        if code == "NoAuthenticationInformation" {
            return "the server wants credentials; set an account key or a signature"
        }
        if code == "InvalidAuthenticationInfo" {
            // Such as: Lifetime validation failed. The token is expired.
            let reason = detail.contains(" validation failed") ? detail.prefix { $0 != "." }.lowercased() : ""
            return "the server does not take the credentials: expired, or of another kind"
                + (reason.isEmpty ? "" : " (\(reason))")
                + (AzureChallenge(headers).map { "; \($0.advice)" } ?? "")
        }
        return "the account key or signature is wrong, or this machine's clock is"
    }

    private static func missing(_ container: String) -> Verdict {
        (
            .missingContainer, "there is no container \(container) in this account; check its name and the endpoint",
            .never
        )
    }

    private static func denied(_ operation: StoreOperation, container: String) -> Verdict {
        (
            .forbidden, "access denied: the credentials may lack the right to \(operation.permission) in \(container)",
            .never
        )
    }
}

extension StoreOperation {
    /// Whether an attempt that failed half-way may have changed what readers see. Blocks are invisible and can be sent
    /// again.
    var changesObjects: Bool {
        switch self {
        case .put, .completeUpload, .copy, .delete: true
        case .list, .head, .read, .beginUpload, .uploadPart, .copyPart, .listParts, .abortUpload, .openUploads: false
        }
    }

    /// In the words of shared access signatures and roles.
    fileprivate var permission: String {
        switch self {
        case .list, .openUploads: "list (l)"
        case .head, .read, .listParts: "read (r)"
        case .put, .beginUpload, .uploadPart, .copyPart, .completeUpload, .copy: "write (w)"
        case .abortUpload, .delete: "delete (d)"
        }
    }
}
