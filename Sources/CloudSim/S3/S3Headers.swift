import Digests
import NIOHTTP1

/// Object attributes from request headers and back.
enum S3Headers {
    private static let metadataPrefix = "x-amz-meta-"
    /// All names and values together.
    private static let metadataLimit = 2_048

    private static let storageClasses: Set<String> = [
        "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
        "REDUCED_REDUNDANCY", "EXPRESS_ONEZONE",
    ]

    static func isArchive(_ storageClass: String?) -> Bool {
        storageClass == "GLACIER" || storageClass == "DEEP_ARCHIVE"
    }

    /// Takes what PutObject, CreateMultipartUpload and CopyObject (REPLACE) say about the object.
    static func read(_ request: Request, into attributes: inout ObjectAttributes) throws(S3Error) {
        attributes.contentType = request.header("content-type")
        attributes.contentEncoding = storedEncoding(request.headers[canonicalForm: "content-encoding"])
        attributes.contentLanguage = request.header("content-language")
        attributes.contentDisposition = request.header("content-disposition")
        attributes.cacheControl = request.header("cache-control")
        attributes.expires = request.header("expires")
        attributes.metadata = try metadata(request)
        try readPlacement(request, into: &attributes)
        if let tags = request.header("x-amz-tagging") { attributes.extras["tags"] = try S3Tags(query: tags).query }
    }

    /// Storage class, encryption and redirect: set by the copy request itself, whatever its metadata directive.
    static func readPlacement(_ request: Request, into attributes: inout ObjectAttributes) throws(S3Error) {
        if let storageClass = request.header("x-amz-storage-class") {
            guard storageClasses.contains(storageClass) else {
                throw S3Error(400, "InvalidStorageClass", "The storage class you specified is not valid")
            }
            attributes.storageClass = storageClass == "STANDARD" ? nil : storageClass
        } else {
            attributes.storageClass = nil
        }
        attributes.isArchived = isArchive(attributes.storageClass)
        try S3Encryption.read(request, into: &attributes)
        attributes.extras["redirect"] = request.header("x-amz-website-redirect-location")
    }

    /// Content-Encoding without the `aws-chunked` that only frames the request.
    private static func storedEncoding(_ values: [Substring]) -> String? {
        let kept = values.filter { $0.lowercased() != "aws-chunked" && !$0.isEmpty }
        return kept.isEmpty ? nil : kept.joined(separator: ",")
    }

    /// User metadata with lower-case names; repeated headers are joined by commas.
    private static func metadata(_ request: Request) throws(S3Error) -> [MetadataItem] {
        var items: [MetadataItem] = []
        var size = 0
        for (name, value) in request.headers where name.utf8.count > metadataPrefix.utf8.count {
            let lower = name.lowercased()
            guard lower.hasPrefix(metadataPrefix) else { continue }
            let short = String(lower.dropFirst(metadataPrefix.utf8.count))
            if let index = items.firstIndex(where: { $0.name == short }) {
                items[index].value += "," + value
                size += value.utf8.count + 1
            } else {
                items.append(MetadataItem(short, value))
                size += short.utf8.count + value.utf8.count
            }
        }
        guard size <= metadataLimit else {
            throw S3Error(
                400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
                fields: [("Size", String(size)), ("MaxSizeAllowed", String(metadataLimit))])
        }
        return items
    }

    /// The headers of GET and HEAD.
    static func write(_ object: StoredObject, _ clock: S3DateCache, to headers: inout HTTPHeaders) {
        let attributes = object.attributes
        headers.add(name: "Last-Modified", value: clock.httpDate(attributes.modified))
        headers.add(name: "ETag", value: attributes.etag)
        headers.add(name: "Accept-Ranges", value: "bytes")
        headers.add(name: "Content-Type", value: attributes.contentType ?? "binary/octet-stream")
        if let value = attributes.contentEncoding { headers.add(name: "Content-Encoding", value: value) }
        if let value = attributes.contentLanguage { headers.add(name: "Content-Language", value: value) }
        if let value = attributes.contentDisposition { headers.add(name: "Content-Disposition", value: value) }
        if let value = attributes.cacheControl { headers.add(name: "Cache-Control", value: value) }
        if let value = attributes.expires { headers.add(name: "Expires", value: value) }
        if let value = attributes.storageClass { headers.add(name: "x-amz-storage-class", value: value) }
        if let value = attributes.versionID { headers.add(name: "x-amz-version-id", value: value) }
        S3Encryption.write(attributes, to: &headers)
        if let value = attributes.extras["redirect"] {
            headers.add(name: "x-amz-website-redirect-location", value: value)
        }
        if let value = attributes.extras["restore"] { headers.add(name: "x-amz-restore", value: value) }
        if let tags = attributes.extras["tags"], !tags.isEmpty {
            headers.add(name: "x-amz-tagging-count", value: String(tags.split(separator: "&").count))
        }
        var withheld = 0
        for item in attributes.metadata {
            if let value = encoded(item.value) {
                headers.add(name: metadataPrefix + item.name, value: value)
            } else {
                withheld += 1
            }
        }
        if withheld > 0 { headers.add(name: "x-amz-missing-meta", value: String(withheld)) }
    }

    /// Non-ASCII values as RFC 2047 words; nil for values with control characters.
    private static func encoded(_ value: String) -> String? {
        var isASCII = true
        for byte in value.utf8 {
            if byte >= 0x80 { isASCII = false }
            if byte < 0x20 && byte != 0x09 || byte == 0x7F { return nil }
        }
        return isASCII ? value : "=?UTF-8?B?\(Base64.encode(Array(value.utf8)))?="
    }
}

/// Formats modification times; neighbours in a listing mostly share theirs.
final class S3DateCache {
    private var httpSecond: Int64 = .min
    private var httpText = ""
    private var isoSecond: Int64 = .min
    private var isoText = ""

    func httpDate(_ time: SimTime) -> String {
        if time.seconds != httpSecond {
            httpSecond = time.seconds
            httpText = time.httpDate
        }
        return httpText
    }

    /// `2027-01-01T00:00:00.000Z`: the service has whole seconds only.
    func iso8601(_ time: SimTime) -> String {
        if time.seconds != isoSecond {
            isoSecond = time.seconds
            isoText = SimTime(seconds: isoSecond).iso8601
        }
        return isoText
    }
}
