/// The operations of the Blob service that the simulator has; the raw values name them in fault rules and counters.
enum AzureOperation: String {
    case listContainers = "ListContainers"
    case getServiceProperties = "GetServiceProperties"
    case getAccountInformation = "GetAccountInformation"
    case batch = "BlobBatch"

    case createContainer = "CreateContainer"
    case getContainerProperties = "GetContainerProperties"
    case setContainerMetadata = "SetContainerMetadata"
    case getContainerACL = "GetContainerACL"
    case deleteContainer = "DeleteContainer"
    case listBlobs = "ListBlobs"

    case putBlob = "PutBlob"
    case putBlobFromURL = "PutBlobFromURL"
    case getBlob = "GetBlob"
    case getBlobProperties = "GetBlobProperties"
    case deleteBlob = "DeleteBlob"
    case putBlock = "PutBlock"
    case putBlockFromURL = "PutBlockFromURL"
    case putBlockList = "PutBlockList"
    case getBlockList = "GetBlockList"
    case copyBlob = "CopyBlob"
    case copyBlobFromURL = "CopyBlobFromURL"
    case abortCopyBlob = "AbortCopyBlob"
    case setBlobMetadata = "SetBlobMetadata"
    case setBlobProperties = "SetBlobProperties"
    case setBlobTier = "SetBlobTier"
    case getBlobTags = "GetBlobTags"
    case setBlobTags = "SetBlobTags"
    case snapshotBlob = "SnapshotBlob"
    case leaseBlob = "LeaseBlob"

    /// What a shared access signature must allow.
    struct Rights {
        enum Level {
            case service
            case container
            case object
            case any

            /// The letter of `srt`.
            var letter: Character {
                switch self {
                case .service: "s"
                case .container: "c"
                case .object, .any: "o"
                }
            }
        }

        var level: Level
        /// Any of these letters of `sp` is enough; none needed when empty.
        var permissions: String
    }

    var rights: Rights {
        switch self {
        case .listContainers: Rights(level: .service, permissions: "l")
        case .getServiceProperties: Rights(level: .service, permissions: "r")
        // Each request of a batch is checked by itself.
        case .getAccountInformation, .batch: Rights(level: .any, permissions: "")
        case .createContainer: Rights(level: .container, permissions: "cw")
        case .getContainerProperties, .getContainerACL: Rights(level: .container, permissions: "r")
        case .setContainerMetadata: Rights(level: .container, permissions: "w")
        case .deleteContainer: Rights(level: .container, permissions: "d")
        case .listBlobs: Rights(level: .container, permissions: "l")
        case .getBlob, .getBlobProperties, .getBlockList: Rights(level: .object, permissions: "r")
        case .deleteBlob: Rights(level: .object, permissions: "d")
        case .getBlobTags, .setBlobTags: Rights(level: .object, permissions: "t")
        case .putBlob, .putBlobFromURL, .putBlock, .putBlockFromURL, .putBlockList, .copyBlob, .copyBlobFromURL,
            .snapshotBlob:
            Rights(level: .object, permissions: "cw")
        case .abortCopyBlob, .setBlobMetadata, .setBlobProperties, .setBlobTier, .leaseBlob:
            Rights(level: .object, permissions: "w")
        }
    }
}

extension AzureOperation {
    /// Which operation a request asks for.
    init(_ request: AzureRequest) throws(AzureError) {
        let component = request.parameter("comp") ?? ""
        let kind = request.parameter("restype") ?? ""
        if request.blob != nil {
            self = try Self.ofBlob(request, component)
        } else if request.container != nil {
            self = try Self.ofContainer(request, component, kind)
        } else {
            self = try Self.ofService(request, component, kind)
        }
    }

    private static func ofService(
        _ request: AzureRequest, _ component: String, _ kind: String
    ) throws(AzureError) -> AzureOperation {
        switch (request.method, component, kind) {
        case ("GET", "list", ""): return .listContainers
        case ("GET", "properties", "service"): return .getServiceProperties
        case ("GET", "properties", "account"), ("HEAD", "properties", "account"): return .getAccountInformation
        case ("POST", "batch", _): return .batch
        case (_, "", ""): throw .invalidURI
        default: throw .notSimulated("\(request.method) of the service with comp=\(component) restype=\(kind)")
        }
    }

    private static func ofContainer(
        _ request: AzureRequest, _ component: String, _ kind: String
    ) throws(AzureError) -> AzureOperation {
        switch (request.method, component, kind) {
        case ("GET", "list", "container"): return .listBlobs
        case ("POST", "batch", "container"): return .batch
        case ("PUT", "", "container"): return .createContainer
        case ("GET", "", "container"), ("HEAD", "", "container"), ("GET", "metadata", "container"),
            ("HEAD", "metadata", "container"):
            return .getContainerProperties
        case ("PUT", "metadata", "container"): return .setContainerMetadata
        case ("GET", "acl", "container"), ("HEAD", "acl", "container"): return .getContainerACL
        case ("DELETE", "", "container"): return .deleteContainer
        case ("GET", "properties", "account"), ("HEAD", "properties", "account"): return .getAccountInformation
        case (_, _, ""): throw .resourceNotFound
        default: throw .notSimulated("\(request.method) of a container with comp=\(component) restype=\(kind)")
        }
    }

    private static func ofBlob(_ request: AzureRequest, _ component: String) throws(AzureError) -> AzureOperation {
        let hasSource = request.header("x-ms-copy-source") != nil
        switch (request.method, component) {
        case ("GET", ""): return .getBlob
        case ("HEAD", ""), ("GET", "metadata"), ("HEAD", "metadata"): return .getBlobProperties
        case ("GET", "blocklist"): return .getBlockList
        case ("GET", "tags"): return .getBlobTags
        case ("GET", "properties"), ("HEAD", "properties"): return .getAccountInformation
        case ("DELETE", ""): return .deleteBlob
        case ("PUT", "") where hasSource && request.header("x-ms-blob-type") != nil: return .putBlobFromURL
        case ("PUT", "") where hasSource: return try request.flag("x-ms-requires-sync") ? .copyBlobFromURL : .copyBlob
        case ("PUT", ""): return .putBlob
        case ("PUT", "block"): return hasSource ? .putBlockFromURL : .putBlock
        case ("PUT", "blocklist"): return .putBlockList
        case ("PUT", "copy"): return .abortCopyBlob
        case ("PUT", "metadata"): return .setBlobMetadata
        case ("PUT", "properties"): return .setBlobProperties
        case ("PUT", "tier"): return .setBlobTier
        case ("PUT", "tags"): return .setBlobTags
        case ("PUT", "snapshot"): return .snapshotBlob
        case ("PUT", "lease"): return .leaseBlob
        case ("GET", _), ("HEAD", _), ("PUT", _), ("DELETE", _), ("POST", _):
            throw .notSimulated("\(request.method) of a blob with comp=\(component)")
        default: throw .unsupportedMethod
        }
    }
}
