package import ReplicationModel

/// The one error of every store: what the caller can do, which operation on which key, and whether a retry can help.
package struct StoreError: Error, Sendable {
    package enum Code: String, Sendable, Codable {
        /// No such object.
        case notFound
        /// No such bucket, container or root directory.
        case missingContainer
        /// A condition of a write, delete or copy does not hold: somebody else's object is there, or the version has changed.
        case preconditionFailed
        /// The pinned version of a read is gone or replaced.
        case versionChanged
        /// No usable credentials, or the store does not know them, or the signature is wrong.
        case unauthenticated
        /// The credentials lack the right.
        case forbidden
        /// The object must be restored from an archive tier before it can be read.
        case archived
        /// The store cannot hold this key.
        case invalidKey
        /// The store cannot hold this object: too large, metadata too large.
        case unsupportedObject
        /// The store does not implement this call (clones).
        case unsupportedOperation
        /// The bytes that arrived differ from their checksum.
        case checksumMismatch
        /// What is stored fails its checks: changed, cut short, or missing where others refer to it (vaults).
        case damaged
        /// The upload session is gone.
        case missingUpload
        case throttled
        case quotaExceeded
        /// The disk or the quota of a file system is full.
        case noSpace
        /// The store answers that it cannot now (5xx).
        case unavailable
        /// The endpoint cannot be reached: name resolution, connection, TLS.
        case unreachable
        /// The connection broke or stalled.
        case network
        /// The store's answer breaks its protocol: wrong length, wrong range, malformed document.
        case invalidResponse
        /// The request is refused as malformed.
        case invalidRequest
        case cancelled
        case local
    }

    /// Whether trying the same call again can help.
    package enum Retry: Hashable, Sendable {
        case never
        /// Back off and try again.
        case transient
        /// Not before that much time (Retry-After).
        case after(Duration)
        /// A write whose outcome nobody told: it may have happened. Settled by reading back, never by assuming.
        case unknownOutcome
    }

    package var code: Code
    package var operation: StoreOperation
    package var key: ObjectKey?
    /// What happened, in the store's words where it said something; without key and operation; never a secret.
    package var message: String
    package var retry: Retry
    /// HTTP status or 0.
    package var status: Int
    /// The store's own error code, e.g. `SlowDown`; empty when it named none.
    package var serviceCode: String
    /// The store's request id, for its support.
    package var requestID: String?
    /// There is no host of the service's name: a typo, unless it has answered before.
    package var isUnknownHost = false

    package init(
        _ code: Code, _ operation: StoreOperation, key: ObjectKey? = nil, message: String, retry: Retry = .never,
        status: Int = 0, serviceCode: String = "", requestID: String? = nil
    ) {
        self.code = code
        self.operation = operation
        self.key = key
        self.message = message
        self.retry = retry
        self.status = status
        self.serviceCode = serviceCode
        self.requestID = requestID
    }
}

extension StoreError: CustomStringConvertible {
    /// One line for people: operation, key, message, status and request id.
    package var description: String {
        var text = operation.rawValue
        if let key { text += " \(key)" }
        text += ": \(message)"
        var notes: [String] = []
        if status != 0 { notes.append("HTTP \(status)") }
        if !serviceCode.isEmpty { notes.append(serviceCode) }
        if let requestID { notes.append("request \(requestID)") }
        return notes.isEmpty ? text : text + " (" + notes.joined(separator: ", ") + ")"
    }
}

/// The calls of `ObjectStore`, for errors, meters and faults.
package enum StoreOperation: String, Sendable, CaseIterable, Codable {
    case list, head, read, put, beginUpload, uploadPart, copyPart, listParts, completeUpload, abortUpload, openUploads,
        copy, delete

    package var isWrite: Bool {
        switch self {
        case .list, .head, .read, .listParts, .openUploads: false
        default: true
        }
    }
}
