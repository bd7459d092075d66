import NIOHTTP1

/// The operations of the API that are known by name; the names are those of the API reference.
enum S3Operation: String {
    case listBuckets = "ListBuckets"
    case createBucket = "CreateBucket"
    case headBucket = "HeadBucket"
    case deleteBucket = "DeleteBucket"
    case getBucketLocation = "GetBucketLocation"
    case getBucketVersioning = "GetBucketVersioning"
    case putBucketVersioning = "PutBucketVersioning"
    case listObjects = "ListObjects"
    case listObjectsV2 = "ListObjectsV2"
    case listObjectVersions = "ListObjectVersions"
    case listMultipartUploads = "ListMultipartUploads"
    case deleteObjects = "DeleteObjects"
    case getObject = "GetObject"
    case headObject = "HeadObject"
    case putObject = "PutObject"
    case copyObject = "CopyObject"
    case deleteObject = "DeleteObject"
    case getObjectAttributes = "GetObjectAttributes"
    case getObjectTagging = "GetObjectTagging"
    case putObjectTagging = "PutObjectTagging"
    case deleteObjectTagging = "DeleteObjectTagging"
    case restoreObject = "RestoreObject"
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case uploadPartCopy = "UploadPartCopy"
    case listParts = "ListParts"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case notImplemented = "NotImplemented"

    /// What the service offers and the simulator does not: subresources that would otherwise look like plain requests.
    private static let unknownSubresources: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold",
        "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy", "policyStatus",
        "publicAccessBlock", "replication", "requestPayment", "retention", "select", "session", "torrent", "website",
    ]

    init(_ request: Request, hasBucket: Bool, hasKey: Bool) {
        let names = request.query.map(\.name)
        if names.contains(where: Self.unknownSubresources.contains) {
            self = .notImplemented
        } else if hasKey {
            self = Self.onObject(request, names)
        } else if hasBucket {
            self = Self.onBucket(request, names)
        } else {
            self = request.method == "GET" ? .listBuckets : .notImplemented
        }
    }

    private static func onBucket(_ request: Request, _ names: [String]) -> S3Operation {
        switch request.method {
        case "GET":
            if names.contains("location") { return .getBucketLocation }
            if names.contains("versioning") { return .getBucketVersioning }
            if names.contains("uploads") { return .listMultipartUploads }
            if names.contains("versions") { return .listObjectVersions }
            if names.contains("tagging") { return .notImplemented }
            return request.queryValue("list-type") == "2" ? .listObjectsV2 : .listObjects
        case "HEAD": return .headBucket
        case "PUT":
            if names.contains("versioning") { return .putBucketVersioning }
            return names.contains("tagging") ? .notImplemented : .createBucket
        case "DELETE": return names.contains("tagging") ? .notImplemented : .deleteBucket
        case "POST": return names.contains("delete") ? .deleteObjects : .notImplemented
        default: return .notImplemented
        }
    }

    private static func onObject(_ request: Request, _ names: [String]) -> S3Operation {
        let isTagging = names.contains("tagging")
        switch request.method {
        case "GET":
            if names.contains("uploadId") { return .listParts }
            if names.contains("attributes") { return .getObjectAttributes }
            return isTagging ? .getObjectTagging : .getObject
        case "HEAD": return .headObject
        case "PUT":
            if isTagging { return .putObjectTagging }
            let isCopy = request.headers.contains(name: "x-amz-copy-source")
            if names.contains("uploadId") { return isCopy ? .uploadPartCopy : .uploadPart }
            return isCopy ? .copyObject : .putObject
        case "POST":
            if names.contains("uploads") { return .createMultipartUpload }
            if names.contains("uploadId") { return .completeMultipartUpload }
            return names.contains("restore") ? .restoreObject : .notImplemented
        case "DELETE":
            if names.contains("uploadId") { return .abortMultipartUpload }
            return isTagging ? .deleteObjectTagging : .deleteObject
        default: return .notImplemented
        }
    }

    var kind: RequestTarget.Kind {
        switch self {
        case .getObject, .headObject, .getObjectAttributes: .read
        case .listObjects, .listObjectsV2, .listObjectVersions, .listParts, .listMultipartUploads: .list
        case .putObject, .uploadPart: .write
        case .completeMultipartUpload, .copyObject: .commit
        case .uploadPartCopy: .partCopy
        case .deleteObject, .deleteObjects: .delete
        default: .other
        }
    }
}
