import Digests

/// What the Blob service answers when it refuses a request: an HTTP status, a code, and a sentence.
///
/// The codes and sentences are those of the service; the body carries `RequestId` and `Time` like the original.
struct AzureError: Error {
    var status: Int
    var code: String
    var message: String
    /// Further elements of the body, such as `HeaderName`.
    var details: [(name: String, value: String)] = []
    /// Further response headers.
    var headers: [(name: String, value: String)] = []

    init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    func with(_ name: String, _ value: String) -> AzureError {
        var copy = self
        copy.details.append((name, value))
        return copy
    }

    /// The body of the response; a `HEAD` request and a 304 get none.
    func body(requestID: String, time: SimTime) -> [UInt8] {
        var xml = AzureXML()
        xml.open("Error")
        xml.element("Code", code)
        xml.element("Message", "\(message)\nRequestId:\(requestID)\nTime:\(time.iso8601)")
        for detail in details { xml.element(detail.name, detail.value) }
        xml.close("Error")
        return xml.bytes
    }
}

// Who may do what.
extension AzureError {
    static func authenticationFailed(_ detail: String) -> AzureError {
        AzureError(
            403, "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
                + "including the signature."
        ).with("AuthenticationErrorDetail", detail)
    }

    static let noAuthentication: AzureError = {
        var error = AzureError(
            401, "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
        )
        error.headers = [
            (
                "WWW-Authenticate",
                "Bearer authorization_uri=https://login.microsoftonline.com/common resource_id=https://storage.azure.com"
            )
        ]
        return error
    }()

    static func invalidToken(_ detail: String) -> AzureError {
        var error = AzureError(
            401, "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."
        ).with("AuthenticationErrorDetail", detail)
        error.headers = noAuthentication.headers
        return error
    }

    static let permissionMismatch = AzureError(
        403, "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.")
    static let resourceTypeMismatch = AzureError(
        403, "AuthorizationResourceTypeMismatch",
        "This request is not authorized to perform this operation using this resource type.")
    static let serviceMismatch = AzureError(
        403, "AuthorizationServiceMismatch",
        "This request is not authorized to perform this operation using this service.")
    static let protocolMismatch = AzureError(
        403, "AuthorizationProtocolMismatch",
        "This request is not authorized to perform this operation using this protocol.")
    static let sourceIPMismatch = AzureError(
        403, "AuthorizationSourceIPMismatch",
        "This request is not authorized to perform this operation using this source IP 127.0.0.1.")
    static let cannotVerifyCopySource = AzureError(
        403, "CannotVerifyCopySource", "Server failed to authenticate the request. Please refer to the source's error.")
}

// What is there and what is not.
extension AzureError {
    static let resourceNotFound = AzureError(404, "ResourceNotFound", "The specified resource does not exist.")
    static let containerNotFound = AzureError(404, "ContainerNotFound", "The specified container does not exist.")
    static let containerExists = AzureError(409, "ContainerAlreadyExists", "The specified container already exists.")
    static let blobNotFound = AzureError(404, "BlobNotFound", "The specified blob does not exist.")
    static let blobExists = AzureError(409, "BlobAlreadyExists", "The specified blob already exists.")
    static let blobArchived = AzureError(
        409, "BlobArchived", "This operation is not permitted on an archived blob.")
    static let blobBeingRehydrated = AzureError(
        409, "BlobBeingRehydrated", "This operation is not permitted because the blob is being rehydrated.")
    static let snapshotsPresent = AzureError(
        409, "SnapshotsPresent", "This operation is not permitted because the blob has snapshots.")
    static let notModified = AzureError(
        304, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    static let conditionNotMet = AzureError(
        412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
    static let sourceConditionNotMet = AzureError(
        412, "SourceConditionNotMet", "The source condition specified using HTTP conditional header(s) is not met.")
    static let leaseAlreadyPresent = AzureError(409, "LeaseAlreadyPresent", "There is already a lease present.")
    static let leaseNotPresent = AzureError(
        409, "LeaseNotPresentWithLeaseOperation", "There is currently no lease on the blob.")
    static let leaseMismatch = AzureError(
        409, "LeaseIdMismatchWithLeaseOperation", "The lease ID specified did not match the lease ID for the blob.")
    static let leaseMissing = AzureError(
        412, "LeaseIdMissing",
        "There is currently a lease on the blob and no lease ID was specified in the request.")
    static let leaseMismatchOnWrite = AzureError(
        412, "LeaseIdMismatchWithBlobOperation", "The lease ID specified did not match the lease ID for the blob.")
    static let leaseLost = AzureError(
        412, "LeaseNotPresentWithBlobOperation",
        "A lease ID was specified, but there is currently no lease on the blob.")
    static let noPendingCopy = AzureError(
        409, "NoPendingCopyOperation", "There is currently no pending copy operation.")
}

// Requests that are wrong in themselves.
extension AzureError {
    static let invalidRange = AzureError(
        416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
    static let invalidInput = AzureError(400, "InvalidInput", "One of the request inputs is not valid.")
    static let invalidURI = AzureError(
        400, "InvalidUri", "The requested URI does not represent any resource on the server.")
    static let invalidResourceName = AzureError(
        400, "InvalidResourceName", "The specified resource name contains invalid characters.")
    static let resourceNameLength = AzureError(
        400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits.")
    static let invalidBlobOrBlock = AzureError(
        400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
    static let invalidBlockID = AzureError(
        400, "InvalidBlockId", "The specified block ID is invalid. The block ID must be Base64-encoded.")
    static let invalidBlockList = AzureError(400, "InvalidBlockList", "The specified block list is invalid.")
    static let blockListTooLong = AzureError(
        400, "BlockListTooLong", "The block list may not contain more than 50,000 blocks.")
    static let blockCountExceedsLimit = AzureError(
        409, "BlockCountExceedsLimit", "The uncommitted block count cannot exceed the maximum limit of 100,000 blocks.")
    static let invalidMetadata = AzureError(
        400, "InvalidMetadata", "The metadata specified is invalid. It has characters that are not permitted.")
    static let metadataTooLarge = AzureError(
        400, "MetadataTooLarge", "The size of the specified metadata exceeds the maximum size permitted.")
    static let emptyMetadataKey = AzureError(
        400, "EmptyMetadataKey", "The key for one of the metadata key-value pairs is empty.")
    static let requestBodyTooLarge = AzureError(
        413, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit.")
    static let missingContentLength = AzureError(
        411, "MissingContentLengthHeader", "The Content-Length header was not specified.")
    static let invalidXML = AzureError(
        400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
    static let multipleConditions = AzureError(
        400, "MultipleConditionHeadersNotSupported", "Multiple condition headers are not supported.")
    static let unsatisfiableCondition = AzureError(
        400, "UnsatisfiableCondition", "The request includes an unsatisfiable condition for this operation.")
    static let invalidMD5 = AzureError(
        400, "InvalidMd5",
        "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and base64 encoded.")
    static let invalidBlobType = AzureError(
        409, "InvalidBlobType", "The blob type is invalid for this operation.")
    static let unsupportedMethod = AzureError(
        405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")

    static func md5Mismatch(given: [UInt8], computed: [UInt8]) -> AzureError {
        AzureError(
            400, "Md5Mismatch",
            "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
        ).with("UserSpecifiedMd5", Base64.encode(given)).with("ServerCalculatedMd5", Base64.encode(computed))
    }

    static func crc64Mismatch(given: UInt64, computed: UInt64) -> AzureError {
        AzureError(
            400, "Crc64Mismatch",
            "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server."
        ).with("UserSpecifiedCrc", AzureChecksum.text(given)).with("ServerCalculatedCrc", AzureChecksum.text(computed))
    }

    static func missingHeader(_ name: String) -> AzureError {
        AzureError(400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified.")
            .with("HeaderName", name)
    }

    static func invalidHeader(_ name: String, _ value: String) -> AzureError {
        AzureError(
            400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        ).with("HeaderName", name).with("HeaderValue", value)
    }

    static func invalidQuery(_ name: String, _ value: String, _ reason: String) -> AzureError {
        AzureError(
            400, "InvalidQueryParameterValue",
            "Value for one of the query parameters specified in the request URI is invalid."
        ).with("QueryParameterName", name).with("QueryParameterValue", value).with("Reason", reason)
    }

    static func outOfRangeQuery(_ name: String, _ value: String) -> AzureError {
        AzureError(
            400, "OutOfRangeQueryParameterValue",
            "One of the query parameters specified in the request URI is outside the permissible range."
        ).with("QueryParameterName", name).with("QueryParameterValue", value)
    }

    static func outOfRangeInput(_ reason: String) -> AzureError {
        AzureError(400, "OutOfRangeInput", "One of the request inputs is out of range.").with("Reason", reason)
    }

    static func invalidStructuredMessage(_ reason: String) -> AzureError {
        AzureError(400, "InvalidStructuredMessage", "The structured message of the request is invalid: \(reason).")
    }

    /// An operation of the real service that this simulator does not have.
    static func notSimulated(_ what: String) -> AzureError {
        AzureError(501, "NotImplemented", "CloudSim does not simulate \(what).")
    }
}
