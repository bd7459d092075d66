import NIOHTTP1

/// Conditional headers and how they come out for the object that is there.
enum S3Conditions {
    /// Whether an If-Match or If-None-Match list names the ETag. Weak tags and missing quotes are taken as written.
    static func names(_ list: String, _ etag: String) -> Bool {
        func bare(_ tag: some StringProtocol) -> Substring {
            let text = tag.drop { $0 == " " }
            let trimmed = text.last == " " ? text.dropLast() : text[...]
            return Substring(trimmed).hasPrefix("\"") && trimmed.count >= 2
                ? Substring(trimmed.dropFirst().dropLast()) : Substring(trimmed)
        }
        let wanted = bare(etag)
        return list.split(separator: ",").contains { tag in
            let tag = bare(tag)
            return tag == "*" || tag == wanted
        }
    }

    /// Conditions of GET and HEAD, in the order of RFC 9110.
    static func checkRead(_ request: Request, _ object: StoredObject, prefix: String = "") throws(S3Error) {
        let modified = object.attributes.modified.seconds
        let etag = object.attributes.etag
        if let list = request.header(prefix + "if-match") {
            guard names(list, etag) else { throw .preconditionFailed("If-Match") }
        } else if let date = request.header(prefix + "if-unmodified-since").flatMap({ SimTime(httpDate: $0) }) {
            guard modified <= date.seconds else { throw .preconditionFailed("If-Unmodified-Since") }
        }
        // Copies answer 412 where reads answer 304.
        let isCopy = !prefix.isEmpty
        if let list = request.header(prefix + "if-none-match") {
            guard !names(list, etag) else { throw isCopy ? .preconditionFailed("If-None-Match") : notModified(object) }
        } else if let date = request.header(prefix + "if-modified-since").flatMap({ SimTime(httpDate: $0) }) {
            guard modified > date.seconds else {
                throw isCopy ? .preconditionFailed("If-Modified-Since") : notModified(object)
            }
        }
    }

    private static func notModified(_ object: StoredObject) -> S3Error {
        S3Error(
            304, "NotModified", "Not Modified",
            headers: [("ETag", object.attributes.etag), ("Last-Modified", object.attributes.modified.httpDate)])
    }

    /// Conditions of writes on the current object, nil when there is none.
    static func checkWrite(_ request: Request, _ name: ObjectName, _ current: StoredObject?) throws(S3Error) {
        if let list = request.header("if-none-match") {
            guard list == "*" else { throw .notImplemented("If-None-Match") }
            guard current == nil else { throw .preconditionFailed("If-None-Match") }
        }
        if let list = request.header("if-match") {
            guard let current else { throw .noSuchKey(name) }
            guard names(list, current.attributes.etag) else { throw .preconditionFailed("If-Match") }
        }
    }
}
