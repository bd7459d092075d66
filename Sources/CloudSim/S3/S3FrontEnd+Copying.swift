import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    private static let copyLimit = 5 << 30

    func copyObject(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let request = call.request
        let source = try copySource(call)
        guard source.size <= Self.copyLimit else {
            throw S3Error.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
        }
        let replaces = try directive(request, "x-amz-metadata-directive")
        let isOntoItself = source === bucket.object(call.key)
        let changesPlacement = [
            "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location",
            "x-amz-checksum-algorithm",
        ]
        .contains { request.headers.contains(name: $0) }
        guard replaces || !isOntoItself || changesPlacement else {
            throw S3Error.invalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without "
                    + "changing the object's metadata, storage class, website redirect location or encryption "
                    + "attributes."
            )
        }
        try S3Conditions.checkWrite(request, call.key, bucket.object(call.key))
        var attributes = try copiedAttributes(source, request, replaces: replaces)

        let old = S3Checksum(source.attributes)
        var algorithm = old?.algorithm ?? .crc64nvme
        if let name = request.header("x-amz-checksum-algorithm") { algorithm = try .named(name) }
        let isSinglePart = source.attributes.parts.isEmpty
        var digests = source.attributes.digests
        // A multipart source becomes one part: its ETag, and a composite checksum, have to be computed anew.
        let needsETag = !isSinglePart || source.attributes.extras["sse"] != nil
        if old?.type != .fullObject || old?.algorithm != algorithm || (needsETag && !etagDigests.isEmpty) {
            var running = RunningDigests(etagDigests.union(algorithm.digest))
            try source.body.forEachPiece { running.update($0) }
            digests = running.finish()
        }
        attributes.parts = []
        S3Checksum.removeComposite(&attributes)
        let keepsETag = !needsETag && attributes.extras["sse"] == nil
        let copied = try store(source.body, digests, algorithm, attributes, name: call.key, in: bucket)
        let object = keepsETag && digests.md5 == nil ? copied.with { $0.etag = source.attributes.etag } : copied
        if object !== copied { try bucket.update(object) }

        var body = XMLBuffer()
        body.raw("<CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("LastModified", dates.iso8601(object.attributes.modified))
        if let etag = toldETag(object.attributes.etag, call.exchange) { body.element("ETag", etag) }
        if let checksum = S3Checksum(object.attributes) {
            body.element(checksum.algorithm.elementName, toldChecksum(checksum.value, call.exchange))
            body.element("ChecksumType", checksum.type.rawValue)
        }
        body.raw("</CopyObjectResult>")
        var headers = standardHeaders()
        if let version = object.attributes.versionID { headers.add(name: "x-amz-version-id", value: version) }
        if let version = source.attributes.versionID {
            headers.add(name: "x-amz-copy-source-version-id", value: version)
        }
        call.exchange.respond(xml(body, headers))
    }

    private func copiedAttributes(
        _ source: StoredObject, _ request: Request, replaces: Bool
    ) throws -> ObjectAttributes {
        var attributes: ObjectAttributes
        if replaces {
            attributes = ObjectAttributes(etag: "", modified: services.clock.now, generation: 0)
            try S3Headers.read(request, into: &attributes)
        } else {
            attributes = source.attributes
            attributes.extras["restore"] = nil
            try S3Headers.readPlacement(request, into: &attributes)
        }
        if try directive(request, "x-amz-tagging-directive") {
            attributes.extras["tags"] = try request.header("x-amz-tagging").map { try S3Tags(query: $0).query }
        } else {
            attributes.extras["tags"] = source.attributes.extras["tags"]
        }
        return attributes
    }

    /// True for REPLACE, false for COPY or nothing.
    private func directive(_ request: Request, _ name: String) throws -> Bool {
        switch request.header(name) {
        case nil, "COPY"?: return false
        case "REPLACE"?: return true
        case let value?: throw S3Error.invalidArgument("Unknown metadata directive.", name: name, value: value)
        }
    }

    /// The object that `x-amz-copy-source` names, once its conditions hold.
    func copySource(_ call: S3Call) throws -> StoredObject {
        let header = call.request.header("x-amz-copy-source") ?? ""
        var text = header[...]
        var version: String?
        if let mark = header.range(ofQuery: "?versionId=") {
            version = String(header[mark.upperBound...])
            text = header[..<mark.lowerBound]
        }
        // Form rules, as the service has them: a plus that is meant must be encoded.
        let path = PercentCoding.decode(text.utf8, plusIsSpace: true)
        let start = path.first == UInt8(ascii: "/") ? 1 : 0
        guard let slash = path[start...].firstIndex(of: UInt8(ascii: "/")), slash + 1 < path.count else {
            throw S3Error.invalidArgument(
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", name: "x-amz-copy-source",
                value: header)
        }
        let bucketName = String(decoding: path[start..<slash], as: UTF8.self)
        let name = ObjectName(Array(path[(slash + 1)...]))
        guard let bucket = storage.bucket(bucketName) else { throw S3Error.noSuchBucket(bucketName) }
        let found = version.map { bucket.version(name, $0) } ?? bucket.object(name)
        guard let object = found, !object.attributes.isDeleteMarker else {
            if version != nil { throw S3Error(404, "NoSuchVersion", "The specified version does not exist.") }
            throw S3Error.noSuchKey(name)
        }
        guard !object.attributes.isArchived else { throw invalidObjectState(object) }
        try S3Conditions.checkRead(call.request, object, prefix: "x-amz-copy-source-")
        return object
    }

    func uploadPartCopy(_ call: S3Call) throws {
        let (upload, number) = try pendingPart(call)
        let source = try copySource(call)
        var body = source.body
        if let header = call.request.header("x-amz-copy-source-range") {
            guard let range = try? S3Range.parse(header, size: source.size), header.split(separator: "-").count == 2
            else {
                throw S3Error.invalidArgument(
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
                        + "and last are the zero-based offsets of the first and last bytes to copy",
                    name: "x-amz-copy-source-range", value: header)
            }
            let last = Int(header.split(separator: "-")[1]) ?? 0
            guard last < source.size else {
                throw S3Error.invalidArgument(
                    "Range specified is not valid for source object of size: \(source.size)",
                    name: "x-amz-copy-source-range", value: header)
            }
            body = body.slice(range)
        }
        guard body.count <= Self.copyLimit else {
            throw S3Error.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
        }
        let algorithm = S3UploadChecksum(upload)
        var running = RunningDigests(etagDigests.union(algorithm.algorithm.digest))
        try body.forEachPiece { running.update($0) }
        let digests = running.finish()
        let part = UploadedPart(body: body, digests: digests, etag: etag(for: digests), modified: services.clock.now)
        upload.parts[number] = part

        var answer = XMLBuffer()
        answer.raw("<CopyPartResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        answer.element("LastModified", dates.iso8601(part.modified))
        if let etag = toldETag(part.etag, call.exchange) { answer.element("ETag", etag) }
        if algorithm.isDeclared, let value = algorithm.algorithm.base64(digests) {
            answer.element(algorithm.algorithm.elementName, toldChecksum(value, call.exchange))
        }
        answer.raw("</CopyPartResult>")
        var headers = standardHeaders()
        if let version = source.attributes.versionID {
            headers.add(name: "x-amz-copy-source-version-id", value: version)
        }
        call.exchange.respond(xml(answer, headers))
    }
}

extension String {
    /// Where `text` occurs last.
    fileprivate func range(ofQuery text: String) -> Range<String.Index>? {
        var index = endIndex
        while index > startIndex {
            index = self.index(before: index)
            if self[index...].hasPrefix(text) { return index..<self.index(index, offsetBy: text.count) }
        }
        return nil
    }
}
