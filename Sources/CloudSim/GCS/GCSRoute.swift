import NIOHTTP1

/// What a request asks for, from its method, path and query alone.
struct GCSRoute {
    enum API {
        case json
        case xml
    }

    enum Action {
        case listBuckets, insertBucket, getBucket, patchBucket, deleteBucket, storageLayout
        case listObjects, getMetadata, getMedia, patch, update, delete
        case insertMedia, insertMultipart, startResumable, resumableChunk, cancelResumable
        case compose, rewrite, copy, move
        case batch, token, serviceAccount
        case xmlCreateBucket, xmlListUploads, xmlPut, xmlCopy
        case xmlInitiate, xmlPart, xmlComplete, xmlListParts, xmlAbort
        case unknown
    }

    var api: API
    var action: Action
    var bucket: String?
    var key: ObjectName?
    /// Where a copy goes.
    var targetBucket: String?
    var targetKey: ObjectName?

    init(_ request: Request) {
        let method = request.method
        let path = request.rawPath.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .dropFirst()
        self.init(api: .json, action: .unknown)
        if Self.matches(path, Self.json) {
            take(json: Array(path.dropFirst(2)), method, request)
        } else if Self.matches(path, Self.upload) {
            take(upload: Array(path.dropFirst(3)), method, request)
        } else if Self.matches(path, Self.download) {
            take(json: Array(path.dropFirst(3)), method, request)
            if case .getMetadata = action { action = .getMedia }
        } else if Self.matches(path, Self.batch) {
            action = method == "POST" ? .batch : .unknown
        } else if method == "POST", path.count == 1, path.first.map({ $0.elementsEqual("token".utf8) }) ?? false {
            action = .token
        } else if method == "GET", Self.matches(path, Self.serviceAccount) {
            action = .serviceAccount
        } else {
            api = .xml
            take(xml: request)
        }
    }

    private init(api: API, action: Action) {
        self.api = api
        self.action = action
    }

    private typealias Segment = Substring.UTF8View

    private static let json = segments("storage/v1")
    private static let upload = segments("upload/storage/v1")
    private static let download = segments("download/storage/v1")
    private static let batch = segments("batch")
    private static let serviceAccount = segments("_/service-account.json")

    private static func segments(_ path: String) -> [[UInt8]] {
        path.split(separator: "/").map { Array($0.utf8) }
    }

    private static func matches(_ path: ArraySlice<Segment>, _ start: [[UInt8]]) -> Bool {
        path.count >= start.count && zip(path, start).allSatisfy { $0.elementsEqual($1) }
    }

    private static func text(_ segment: Segment) -> String {
        String(decoding: PercentCoding.decode(segment), as: UTF8.self)
    }

    private static func name(_ segment: Segment) -> ObjectName {
        ObjectName(PercentCoding.decode(segment))
    }

    // MARK: JSON

    /// `path` is what follows `/storage/v1`.
    private mutating func take(json path: [Segment], _ method: String, _ request: Request) {
        guard let first = path.first, first.elementsEqual("b".utf8) else { return }
        guard path.count > 1 else {
            action = method == "GET" ? .listBuckets : method == "POST" ? .insertBucket : .unknown
            return
        }
        bucket = Self.text(path[1])
        guard path.count > 2 else {
            switch method {
            case "GET": action = .getBucket
            case "PATCH", "PUT": action = .patchBucket
            case "DELETE": action = .deleteBucket
            default: action = .unknown
            }
            return
        }
        if path[2].elementsEqual("storageLayout".utf8), path.count == 3, method == "GET" { action = .storageLayout }
        guard path[2].elementsEqual("o".utf8) else { return }
        guard path.count > 3 else {
            action = method == "GET" ? .listObjects : .unknown
            return
        }
        key = Self.name(path[3])
        take(object: Array(path.dropFirst(4)), method, request)
    }

    /// `path` is what follows the object's name.
    private mutating func take(object path: [Segment], _ method: String, _ request: Request) {
        guard let verb = path.first.map({ Self.text($0) }) else {
            switch method {
            case "GET": action = request.queryValue("alt") == "media" ? .getMedia : .getMetadata
            case "PATCH": action = .patch
            case "PUT": action = .update
            case "DELETE": action = .delete
            // Some clients can only POST and say what they mean in a header.
            case "POST" where request.header("x-http-method-override")?.uppercased() == "PATCH": action = .patch
            default: action = .unknown
            }
            return
        }
        guard method == "POST" else { return }
        switch verb {
        case "compose" where path.count == 1:
            action = .compose
        case "rewriteTo", "copyTo":
            guard path.count == 5, path[1].elementsEqual("b".utf8), path[3].elementsEqual("o".utf8) else { return }
            action = verb == "copyTo" ? .copy : .rewrite
            targetBucket = Self.text(path[2])
            targetKey = Self.name(path[4])
        case "moveTo":
            guard path.count == 3, path[1].elementsEqual("o".utf8) else { return }
            action = .move
            targetBucket = bucket
            targetKey = Self.name(path[2])
        default: break
        }
    }

    /// `path` is what follows `/upload/storage/v1`.
    private mutating func take(upload path: [Segment], _ method: String, _ request: Request) {
        guard path.count == 3, path[0].elementsEqual("b".utf8), path[2].elementsEqual("o".utf8) else { return }
        bucket = Self.text(path[1])
        key = request.queryValue("name").map { ObjectName($0) }
        if request.hasQuery("upload_id") {
            // The session knows its object; gcsfs sends chunks by POST.
            switch method {
            case "PUT", "POST": action = .resumableChunk
            case "DELETE": action = .cancelResumable
            default: break
            }
            return
        }
        guard method == "POST" else { return }
        switch request.queryValue("uploadType") {
        case "media": action = .insertMedia
        case "multipart": action = .insertMultipart
        case "resumable": action = .startResumable
        default: break
        }
    }

    // MARK: XML

    private mutating func take(xml request: Request) {
        let path = request.rawPath.utf8.dropFirst()
        let end = path.firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex
        let name = Self.text(path[..<end])
        guard !name.isEmpty else { return }
        bucket = name
        let rest = end == path.endIndex ? path[end...] : path[path.index(after: end)...]
        guard !rest.isEmpty else {
            take(xmlBucket: request)
            return
        }
        key = Self.name(rest)
        switch request.method {
        case "GET": action = request.hasQuery("uploadId") ? .xmlListParts : .getMedia
        case "HEAD": action = .getMedia
        case "DELETE": action = request.hasQuery("uploadId") ? .xmlAbort : .delete
        case "POST":
            action = request.hasQuery("uploads") ? .xmlInitiate : request.hasQuery("uploadId") ? .xmlComplete : .unknown
        case "PUT":
            if request.hasQuery("uploadId") {
                action = .xmlPart
            } else if request.headers.contains(name: "x-goog-copy-source") {
                action = .xmlCopy
            } else {
                action = .xmlPut
            }
        default: break
        }
    }

    private mutating func take(xmlBucket request: Request) {
        switch request.method {
        case "GET": action = request.hasQuery("uploads") ? .xmlListUploads : .listObjects
        case "HEAD": action = .getBucket
        case "PUT": action = .xmlCreateBucket
        case "DELETE": action = .deleteBucket
        default: break
        }
    }
}

extension GCSRoute {
    /// What counters and fault rules call it.
    var target: RequestTarget {
        let (operation, kind): (String, RequestTarget.Kind) =
            switch action {
            case .listBuckets: ("ListBuckets", .other)
            case .insertBucket, .xmlCreateBucket: ("InsertBucket", .other)
            case .getBucket: ("GetBucket", .other)
            case .patchBucket: ("PatchBucket", .other)
            case .deleteBucket: ("DeleteBucket", .other)
            case .storageLayout: ("GetStorageLayout", .other)
            case .listObjects: ("ListObjects", .list)
            case .getMetadata: ("GetObjectMetadata", .read)
            case .getMedia: ("GetObject", .read)
            case .patch: ("PatchObject", .other)
            case .update: ("UpdateObject", .other)
            case .delete: ("DeleteObject", .delete)
            case .insertMedia, .insertMultipart, .xmlPut: ("InsertObject", .write)
            case .startResumable: ("ResumableStart", .other)
            case .resumableChunk: ("ResumableChunk", .write)
            case .cancelResumable: ("ResumableCancel", .other)
            case .compose: ("Compose", .commit)
            case .rewrite: ("Rewrite", .commit)
            case .copy, .xmlCopy: ("Copy", .commit)
            case .move: ("Move", .commit)
            case .batch: ("Batch", .delete)
            case .token: ("Token", .other)
            case .serviceAccount: ("GetServiceAccount", .other)
            case .xmlListUploads: ("XMLListUploads", .other)
            case .xmlInitiate: ("XMLInitiate", .other)
            case .xmlPart: ("XMLPart", .write)
            case .xmlComplete: ("XMLComplete", .commit)
            case .xmlListParts: ("XMLListParts", .other)
            case .xmlAbort: ("XMLAbort", .other)
            case .unknown: ("Unknown", .other)
            }
        return RequestTarget(operation, kind, bucket: bucket, key: targetKey ?? key)
    }

    /// Whether the request changes nothing, for tokens that may only read.
    var isReadOnly: Bool {
        switch action {
        case .listBuckets, .getBucket, .storageLayout, .listObjects, .getMetadata, .getMedia, .xmlListUploads,
            .xmlListParts:
            true
        default: false
        }
    }
}
