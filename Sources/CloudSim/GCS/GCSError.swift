import XMLStreaming

/// A refusal, in the words of both APIs.
struct GCSError: Error {
    var status: Int
    /// `reason` of the JSON API.
    var reason: String
    /// `Code` of the XML API.
    var xmlCode: String
    var message: String
    /// The XML API's general message where it differs from the specific one, which then is in `Details`.
    var xmlMessage: String?
    var location: String?

    static let notModified = GCSError(status: 304, reason: "notModified", xmlCode: "NotModified", message: "")

    static let conditionNotMet = GCSError(
        status: 412, reason: "conditionNotMet", xmlCode: "PreconditionFailed",
        message: "At least one of the pre-conditions you specified did not hold.", location: "If-Match")

    static let parse = GCSError(
        status: 400, reason: "parseError", xmlCode: "MalformedXML", message: "Parse Error")

    static let requiredName = GCSError(
        status: 400, reason: "required", xmlCode: "InvalidURI", message: "Required", location: "name")

    static let notFoundPath = GCSError(
        status: 404, reason: "notFound", xmlCode: "InvalidURI", message: "Not Found")

    static func noObject(_ bucket: String, _ name: ObjectName) -> GCSError {
        GCSError(
            status: 404, reason: "notFound", xmlCode: "NoSuchKey", message: "No such object: \(bucket)/\(name.text)",
            xmlMessage: "The specified key does not exist.")
    }

    static let noBucket = GCSError(
        status: 404, reason: "notFound", xmlCode: "NoSuchBucket", message: "The specified bucket does not exist.")

    static let bucketExists = GCSError(
        status: 409, reason: "conflict", xmlCode: "BucketAlreadyOwnedByYou",
        message: "Your previous request to create the named bucket succeeded and you already own it.")

    static let bucketNotEmpty = GCSError(
        status: 409, reason: "conflict", xmlCode: "BucketNotEmpty",
        message: "The bucket you tried to delete is not empty.")

    static func invalid(_ message: String, xmlCode: String = "InvalidArgument") -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: xmlCode, message: message, xmlMessage: "Invalid argument.")
    }

    static func invalidDigest(_ message: String) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "InvalidDigest", message: message,
            xmlMessage: "The Content-MD5 or checksum value that you specified was invalid.")
    }

    static func wrongCRC32C(provided: String, calculated: String) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "BadDigest",
            message: "Provided CRC32C \"\(provided)\" doesn't match calculated CRC32C \"\(calculated)\".",
            xmlMessage: "The CRC32C you specified did not match what we computed.")
    }

    static func wrongMD5(provided: String, calculated: String) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "BadDigest",
            message: "Provided MD5 hash \"\(provided)\" doesn't match calculated MD5 hash \"\(calculated)\".",
            xmlMessage: "The MD5 you specified in Content-MD5 or x-goog-hash did not match what we computed.")
    }

    static func metadataTooLarge(_ size: Int) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "MetadataTooLarge",
            message: "The metadata for your object is \(size) bytes; the limit is \(GCSResourceInput.metadataLimit).",
            xmlMessage: "Your metadata headers exceed the maximum allowed metadata size.")
    }

    static let invalidName = GCSError(
        status: 400, reason: "invalid", xmlCode: "InvalidObjectName",
        message: "Disallowed unicode characters present in object name, or name of a length that is not allowed.",
        xmlMessage: "The specified object name is not valid.")

    static func rangeNotSatisfiable(_ range: String) -> GCSError {
        GCSError(
            status: 416, reason: "requestedRangeNotSatisfiable", xmlCode: "InvalidRange",
            message: "Request range not satisfiable", xmlMessage: "The requested range cannot be satisfied.",
            location: "Range")
    }

    static func notImplemented(_ message: String) -> GCSError {
        GCSError(
            status: 400, reason: "notImplemented", xmlCode: "NotImplemented", message: message,
            xmlMessage: "The requested feature is not implemented.")
    }

    static let methodNotAllowed = GCSError(
        status: 405, reason: "methodNotAllowed", xmlCode: "MethodNotAllowed",
        message: "The specified method is not allowed against this resource.")

    static let tooLarge = GCSError(
        status: 413, reason: "uploadTooLarge", xmlCode: "EntityTooLarge", message: "Payload is too large.")

    static func unauthorized(_ message: String, reason: String) -> GCSError {
        GCSError(
            status: 401, reason: reason, xmlCode: "AuthenticationRequired", message: message,
            xmlMessage: "Authentication required.", location: "Authorization")
    }

    static func forbidden(_ message: String) -> GCSError {
        GCSError(
            status: 403, reason: "forbidden", xmlCode: "AccessDenied", message: message, xmlMessage: "Access denied.")
    }

    // The multipart calls of the XML API.

    static func noUpload(_ id: String) -> GCSError {
        GCSError(
            status: 404, reason: "notFound", xmlCode: "NoSuchUpload", message: "No such upload: \(id)",
            xmlMessage: "The requested upload was not found.")
    }

    static func invalidPart(_ number: Int) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "InvalidPart", message: "Part number \(number)",
            xmlMessage: "One or more of the specified parts could not be found, or the ETag does not match.")
    }

    static let invalidPartOrder = GCSError(
        status: 400, reason: "invalid", xmlCode: "InvalidPartOrder",
        message: "The list of parts was not in ascending order.")

    static func partTooSmall(_ number: Int, _ size: Int) -> GCSError {
        GCSError(
            status: 400, reason: "invalid", xmlCode: "EntityTooSmall",
            message: "Part \(number) has \(size) bytes; all but the last need \(GCSLimits.minimumPart).",
            xmlMessage: "Your proposed upload is smaller than the minimum allowed object size.")
    }
}

extension GCSError {
    /// An error of which only the status need be known.
    static func ofStatus(_ status: Int, _ code: String?, _ message: String?) -> GCSError {
        GCSError(
            status: status, reason: code ?? usualReason(status), xmlCode: code ?? usualCode(status),
            message: message ?? "The service answers \(status).")
    }

    private static func usualReason(_ status: Int) -> String {
        switch status {
        case 400: "invalid"
        case 401: "authError"
        case 403: "forbidden"
        case 404: "notFound"
        case 408: "requestTimeout"
        case 412: "conditionNotMet"
        case 429: "rateLimitExceeded"
        default: "backendError"
        }
    }

    private static func usualCode(_ status: Int) -> String {
        switch status {
        case 400: "InvalidArgument"
        case 401: "AuthenticationRequired"
        case 403: "AccessDenied"
        case 404: "NoSuchKey"
        case 408: "RequestTimeout"
        case 412: "PreconditionFailed"
        case 429: "SlowDown"
        case 503: "ServiceUnavailable"
        default: "InternalError"
        }
    }
}

/// What the service allows.
enum GCSLimits {
    static let nameBytes = 1024
    static let minimumPart = 5 << 20
    static let maximumParts = 10_000
    static let resumableQuantum = 256 << 10
    static let composeSources = 32
    static let page = 1000
    static let batchCalls = 100
    /// JSON and XML bodies of requests.
    static let documentBytes = 4 << 20
}

extension GCSError {
    /// `{"error":{…}}`.
    var json: [UInt8] {
        var json = JSONBuilder()
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.key("code")
        json.number(status)
        json.key("message")
        json.string(message)
        json.key("errors")
        json.beginArray()
        json.beginObject()
        json.key("message")
        json.string(message)
        json.key("domain")
        json.string("global")
        json.key("reason")
        json.string(reason)
        if let location {
            json.key("locationType")
            json.string(location == "name" ? "parameter" : "header")
            json.key("location")
            json.string(location)
        }
        json.endObject()
        json.endArray()
        json.endObject()
        json.endObject()
        return json.bytes
    }

    /// `<Error>…</Error>`. Clients read `Details` without looking whether it is there.
    var xml: [UInt8] {
        var writer = XMLWriter()
        writer.element("Error") { writer in
            writer.element("Code", text: xmlCode)
            writer.element("Message", text: xmlMessage ?? message)
            writer.element("Details", text: message)
        }
        return writer.bytes
    }
}
