import Digests
import NIOCore
import NIOHTTP1

extension GCSFrontEnd {
    /// Reads bytes: `alt=media` of the JSON API, GET and HEAD of the XML API.
    func getMedia(_ call: GCSCall) throws -> Response {
        let (_, object) = try named(call)
        let parameters = call.parameters
        switch call.route.api {
        case .json: try parameters.preconditions().requireForRead(on: object)
        case .xml: try parameters.headerPreconditions().requireForRead(on: object)
        }
        let etag = call.route.api == .json ? GCSETag.json(object.attributes) : GCSETag.xml(object.attributes)
        try requireHeaderConditions(call.request, etag, object)

        var headers = mediaHeaders(object, etag: etag, call.route.api)
        if isTranscoded(object, for: call.request) {
            return try transcoded(object, headers)
        }
        if let encoding = object.attributes.contentEncoding { headers.add(name: "Content-Encoding", value: encoding) }
        headers.add(name: "Accept-Ranges", value: "bytes")
        guard let text = call.request.header("range"), let range = GCSRange(text) else {
            return Response(.ok, headers: headers, body: object.body)
        }
        guard let bytes = range.bytes(of: object.size) else {
            var refusal = GCSError.rangeNotSatisfiable(text).response(to: call)
            refusal.headers.add(name: "Content-Range", value: "bytes */\(object.size)")
            return refusal
        }
        headers.add(
            name: "Content-Range", value: "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(object.size)")
        return Response(.partialContent, headers: headers, body: object.body.slice(bytes))
    }

    /// If-Match and its siblings; the server has removed them when a fault says so.
    private func requireHeaderConditions(_ request: Request, _ etag: String, _ object: StoredObject) throws {
        if let match = request.header("if-match"), !Self.matches(etag, match) { throw GCSError.conditionNotMet }
        if let since = request.header("if-unmodified-since").flatMap({ SimTime(httpDate: $0) }),
            object.attributes.created.seconds > since.seconds
        {
            throw GCSError.conditionNotMet
        }
        if let noneMatch = request.header("if-none-match") {
            if Self.matches(etag, noneMatch) { throw GCSError.notModified }
        } else if let since = request.header("if-modified-since").flatMap({ SimTime(httpDate: $0) }),
            object.attributes.created.seconds <= since.seconds
        {
            throw GCSError.notModified
        }
    }

    private static func matches(_ etag: String, _ list: String) -> Bool {
        list.split(separator: ",").contains { item in
            let item = item.drop { $0 == " " }
            return item == "*" || item == etag || item == "\"\(etag)\""
        }
    }

    func mediaHeaders(_ object: StoredObject, etag: String, _ api: GCSRoute.API) -> HTTPHeaders {
        let attributes = object.attributes
        var headers = HTTPHeaders()
        headers.reserveCapacity(20)
        headers.add(name: "Content-Type", value: attributes.contentType ?? "application/octet-stream")
        headers.add(name: "ETag", value: etag)
        headers.add(name: "Last-Modified", value: attributes.created.httpDate)
        headers.add(name: "x-goog-generation", value: String(attributes.generation))
        headers.add(name: "x-goog-metageneration", value: String(attributes.metageneration))
        headers.add(name: "x-goog-storage-class", value: attributes.storageClass ?? "STANDARD")
        headers.add(name: "x-goog-stored-content-encoding", value: attributes.contentEncoding ?? "identity")
        headers.add(name: "x-goog-stored-content-length", value: String(object.size))
        let hashes = GCSHashes.headerValues(attributes.digests)
        switch api {
        case .json: headers.add(name: "x-goog-hash", value: hashes.joined(separator: ","))
        case .xml:
            for hash in hashes { headers.add(name: "x-goog-hash", value: hash) }
            for item in attributes.metadata where item.isFitForHeader {
                headers.add(name: "x-goog-meta-" + item.name, value: item.value)
            }
        }
        if let value = attributes.cacheControl { headers.add(name: "Cache-Control", value: value) }
        if let value = attributes.contentDisposition { headers.add(name: "Content-Disposition", value: value) }
        if let value = attributes.contentLanguage { headers.add(name: "Content-Language", value: value) }
        if let count = attributes.extras["componentCount"] { headers.add(name: "x-goog-component-count", value: count) }
        return headers
    }

    // MARK: Decompressive transcoding

    private func isTranscoded(_ object: StoredObject, for request: Request) -> Bool {
        guard object.attributes.contentEncoding == "gzip" else { return false }
        if object.attributes.cacheControl?.contains("no-transform") ?? false { return false }
        return !request.headers[canonicalForm: "accept-encoding"].contains { $0.lowercased().contains("gzip") }
    }

    /// The decoded bytes: no Content-Length, no ranges, and hashes that are those of the stored bytes.
    private func transcoded(_ object: StoredObject, _ headers: HTTPHeaders) throws -> Response {
        var headers = headers
        headers.add(name: "Warning", value: "214 UploadServer gunzipped")
        headers.add(name: "x-guploader-response-body-transformations", value: "gunzipped")
        let stored = try object.body.collected()
        let plain = try stored.withUnsafeReadableBytes { bytes in
            do {
                return try Inflate.gunzip(bytes)
            } catch {
                throw GCSError(
                    status: 503, reason: "backendError", xmlCode: "ServiceUnavailable",
                    message: "The object says that it is gzip but cannot be decoded.")
            }
        }
        var response = Response(.ok, headers: headers, body: Body(bytes: plain))
        response.isChunked = true
        return response
    }
}

extension MetadataItem {
    /// Names and values that only the JSON API can carry are left out of headers.
    fileprivate var isFitForHeader: Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && !value.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }
}

/// One range of a Range header; nil where the header is to be ignored.
struct GCSRange {
    private var first: Int?
    private var last: Int?

    init?(_ text: String) {
        guard text.lowercased().hasPrefix("bytes=") else { return nil }
        let bounds = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return nil }
        first = Int(bounds[0])
        last = Int(bounds[1])
        guard bounds[0].isEmpty || first != nil, bounds[1].isEmpty || last != nil else { return nil }
        guard first != nil || last != nil else { return nil }
        if let first, let last, last < first { return nil }
    }

    /// The bytes of an object of `size` bytes; nil when there are none.
    func bytes(of size: Int) -> Range<Int>? {
        guard let first else {
            guard let last, last > 0, size > 0 else { return nil }
            return max(0, size - last)..<size
        }
        guard first < size else { return nil }
        return first..<min(size, (last.map { $0 == Int.max ? $0 : $0 + 1 } ?? size))
    }
}
