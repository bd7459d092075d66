import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    /// GetObject and HeadObject.
    func getObject(_ call: S3Call) throws {
        let request = call.request
        let object = try readable(call)
        try S3Conditions.checkRead(request, object)
        let isHead = request.method == "HEAD"
        if object.attributes.isArchived && !isHead { throw invalidObjectState(object) }

        var headers = standardHeaders()
        S3Headers.write(object, dates, to: &headers)
        var range = try S3Range.parse(request.header("range"), size: object.size)
        var checksum = S3Checksum(object.attributes)
        var isPart = false
        if let text = request.queryValue("partNumber") {
            guard range == nil else {
                throw S3Error.invalidRequest("Cannot specify both Range header and partNumber query parameter")
            }
            let part = try part(text, of: object)
            range = part.range
            isPart = true
            if !object.attributes.parts.isEmpty {
                headers.add(name: "x-amz-mp-parts-count", value: String(object.attributes.parts.count))
                checksum = checksum.flatMap { whole in
                    part.values[whole.algorithm.elementName].map { S3Checksum(whole.algorithm, whole.type, $0) }
                }
            }
        }
        // A checksum of the whole object says nothing about a range of it.
        if request.header("x-amz-checksum-mode")?.uppercased() == "ENABLED", range == nil || isPart {
            checksum?.add(to: &headers)
        }
        overrideHeaders(request, &headers)
        var status = HTTPResponseStatus.ok
        var body = object.body
        if let range {
            status = .partialContent
            headers.add(
                name: "Content-Range", value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(object.size)")
            body = object.body.slice(range)
        }
        var response = Response(status, headers: headers, body: isHead ? Body() : body)
        if isHead { response.declaredLength = body.count }
        call.exchange.respond(response)
    }

    /// The version that a read names, by `versionId` or the current one.
    func readable(_ call: S3Call) throws -> StoredObject {
        let bucket = try bucket(call)
        let name = call.key
        if let id = call.request.queryValue("versionId") {
            guard let object = bucket.version(name, id) else {
                throw S3Error(
                    404, "NoSuchVersion", "The specified version does not exist.",
                    fields: [("Key", name.text), ("VersionId", id)])
            }
            guard !object.attributes.isDeleteMarker else {
                var error = S3Error.methodNotAllowed
                error.headers = [
                    ("x-amz-delete-marker", "true"), ("Last-Modified", object.attributes.modified.httpDate),
                    ("Allow", "DELETE"),
                ]
                throw error
            }
            return object
        }
        guard let object = bucket.object(name) else {
            var error = S3Error.noSuchKey(name)
            if let marker = bucket.older[name]?.first, marker.attributes.isDeleteMarker {
                error.headers = [
                    ("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.attributes.versionID ?? "null"),
                ]
            }
            throw error
        }
        return object
    }

    func invalidObjectState(_ object: StoredObject) -> S3Error {
        S3Error(
            403, "InvalidObjectState", "The operation is not valid for the object's storage class",
            fields: [("StorageClass", object.attributes.storageClass ?? "STANDARD")])
    }

    private func part(_ text: String, of object: StoredObject) throws -> (range: Range<Int>?, values: [String: String])
    {
        let parts = object.attributes.parts
        let count = max(1, parts.count)
        guard let number = Int(text), number >= 1 else {
            throw S3Error.invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber", value: text)
        }
        guard number <= count else {
            throw S3Error(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
        }
        guard !parts.isEmpty else { return (object.size > 0 ? 0..<object.size : nil, [:]) }
        let start = parts[..<(number - 1)].reduce(0) { $0 + $1.size }
        return (start..<start + parts[number - 1].size, parts[number - 1].values)
    }

    /// `response-content-type=` and its kin, which signed requests may use to change what a browser is told.
    private func overrideHeaders(_ request: Request, _ headers: inout HTTPHeaders) {
        guard !request.query.isEmpty else { return }
        for (name, value) in request.query where name.hasPrefix("response-") {
            let header = String(name.dropFirst("response-".count))
            guard
                [
                    "content-type", "content-language", "expires", "cache-control", "content-disposition",
                    "content-encoding",
                ].contains(header),
                value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { continue }
            headers.replaceOrAdd(name: header, value: value)
        }
    }

    func getObjectAttributes(_ call: S3Call) throws {
        let request = call.request
        let object = try readable(call)
        let wanted = Set(request.headers[canonicalForm: "x-amz-object-attributes"].map(String.init))
        let known: Set<String> = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        guard !wanted.isEmpty, wanted.isSubset(of: known) else {
            throw S3Error.invalidArgument(
                "Invalid attribute name specified.", name: "x-amz-object-attributes",
                value: wanted.sorted().joined(separator: ","))
        }
        let attributes = object.attributes
        let checksum = S3Checksum(attributes)
        var body = XMLBuffer()
        body.raw("<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        if wanted.contains("ETag") { body.element("ETag", String(attributes.etag.dropFirst().dropLast())) }
        if wanted.contains("Checksum"), let checksum {
            body.raw("<Checksum>")
            // Here composite values come without their part count.
            body.element(checksum.algorithm.elementName, String(checksum.value.split(separator: "-")[0]))
            body.element("ChecksumType", checksum.type.rawValue)
            body.raw("</Checksum>")
        }
        if wanted.contains("ObjectParts"), !attributes.parts.isEmpty { try writeParts(object, request, &body) }
        if wanted.contains("StorageClass") { body.element("StorageClass", attributes.storageClass ?? "STANDARD") }
        if wanted.contains("ObjectSize") { body.element("ObjectSize", object.size) }
        body.raw("</GetObjectAttributesResponse>")
        var headers = standardHeaders()
        headers.add(name: "Last-Modified", value: dates.httpDate(attributes.modified))
        if let version = attributes.versionID { headers.add(name: "x-amz-version-id", value: version) }
        call.exchange.respond(xml(body, headers))
    }

    /// The parts of an upload that used a checksum of its own choice; others only have their count.
    private func writeParts(_ object: StoredObject, _ request: Request, _ body: inout XMLBuffer) throws {
        let parts = object.attributes.parts
        body.raw("<ObjectParts>")
        body.element("PartsCount", parts.count)
        if parts[0].values.isEmpty {
            body.raw("</ObjectParts>")
            return
        }
        let limit = min(1_000, max(0, request.header("x-amz-max-parts").flatMap { Int($0) } ?? 1_000))
        let marker = request.header("x-amz-part-number-marker").flatMap { Int($0) } ?? 0
        let page = parts.filter { $0.number > marker }.prefix(limit)
        body.element("PartNumberMarker", marker)
        body.element("MaxParts", limit)
        body.element("IsTruncated", page.last.map { $0.number < parts.last!.number } ?? false ? "true" : "false")
        body.element("NextPartNumberMarker", page.last?.number ?? 0)
        for part in page {
            body.raw("<Part>")
            body.element("PartNumber", part.number)
            body.element("Size", part.size)
            for (name, value) in part.values { body.element(name, value) }
            body.raw("</Part>")
        }
        body.raw("</ObjectParts>")
    }
}
