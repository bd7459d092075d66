import Digests
import NIOHTTP1
import XMLStreaming

extension GCSFrontEnd {
    private static let namespace: KeyValuePairs = ["xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"]
    /// Open uploads of one bucket.
    private static let maximumUploads = 10_000

    /// Multipart calls know no conditions, of either kind of header.
    private func refuseConditions(_ call: GCSCall) throws {
        guard !(call.exchange?.ignoresConditions ?? false) else { return }
        for (name, _) in call.request.headers {
            let name = name.lowercased()
            if name.hasPrefix("x-goog-if-") || name == "if-match" || name == "if-none-match" {
                throw GCSError.notImplemented("Preconditions are not supported in multipart uploads: \(name)")
            }
        }
    }

    private func upload(_ call: GCSCall, in bucket: Bucket) throws -> PendingUpload {
        let id = call.parameters["uploadId"] ?? ""
        guard let upload = bucket.uploads[id], upload.name == call.route.key else { throw GCSError.noUpload(id) }
        return upload
    }

    func initiateUpload(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        guard let name = call.route.key else { throw GCSError.requiredName }
        try Self.validate(name)
        try refuseConditions(call)
        guard bucket.uploads.count < Self.maximumUploads else {
            throw GCSError.notImplemented("This server holds at most \(Self.maximumUploads) open uploads of a bucket.")
        }
        var attributes = newAttributes()
        try attributes.apply(headers: call.request.headers)
        let id = Base64.encodeForURL(storage.randomBytes(48))
        bucket.uploads[id] = PendingUpload(id: id, name: name, started: services.clock.now, attributes: attributes)
        var writer = XMLWriter()
        writer.element("InitiateMultipartUploadResult", attributes: Self.namespace) { writer in
            writer.element("Bucket", text: bucket.name)
            writer.element("Key", text: name.text)
            writer.element("UploadId", text: id)
        }
        return Response(xml: writer.bytes)
    }

    func putPart(_ call: GCSCall, _ exchange: Exchange) throws {
        let bucket = try bucket(call.route.bucket)
        try refuseConditions(call)
        let upload = try upload(call, in: bucket)
        guard let number = call.parameters["partNumber"].flatMap({ Int($0) }),
            (1...GCSLimits.maximumParts).contains(number)
        else { throw GCSError.invalid("Part number must be an integer between 1 and \(GCSLimits.maximumParts).") }
        let hashes = try call.parameters.hashes()
        let sink = try storage.makeWriter(
            expectedLength: call.request.contentLength, digests: digests(toVerify: hashes))
        exchange.streamBody(to: sink) { [self] result in
            do {
                _ = try result.get()
                let (body, digests) = try sink.finish()
                try hashes.verify(digests)
                guard bucket.uploads[upload.id] === upload else { throw GCSError.noUpload(upload.id) }
                let etag = "\"\(Hex.encode(digests.md5 ?? storage.randomBytes(16)))\""
                upload.parts[number] = UploadedPart(
                    body: body, digests: digests, etag: etag, modified: services.clock.now)
                var headers = HTTPHeaders()
                headers.add(name: "ETag", value: etag)
                for hash in GCSHashes.headerValues(digests) { headers.add(name: "x-goog-hash", value: hash) }
                exchange.respond(Response(.ok, headers: headers))
            } catch {
                fail(error, call, exchange)
            }
        }
    }

    func completeUpload(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        try refuseConditions(call)
        let upload = try upload(call, in: bucket)
        let parts = try completedParts(upload, body)
        var whole = Body()
        var crc32c: UInt32 = 0
        for part in parts {
            crc32c = CRC32C.combine(crc32c, part.digests.crc32c ?? 0, lengthOfB: Int64(part.body.count))
            whole.append(part.body)
        }
        var attributes = newAttributes()
        attributes.takeProperties(of: upload.attributes)
        attributes.digests.crc32c = crc32c
        // What is there is replaced whatever it is.
        let stored = try store(upload.name, whole, attributes, in: bucket, GCSPreconditions())
        bucket.uploads[upload.id] = nil
        var writer = XMLWriter()
        writer.element("CompleteMultipartUploadResult", attributes: Self.namespace) { writer in
            writer.element("Location", text: "\(call.origin)\(call.request.rawPath)")
            writer.element("Bucket", text: bucket.name)
            writer.element("Key", text: upload.name.text)
            writer.element("ETag", text: GCSETag.xml(stored.attributes))
        }
        var headers = storedHeaders(stored)
        headers.remove(name: "ETag")
        return Response(xml: writer.bytes, headers: headers)
    }

    /// The parts that the request names, in its order, which must be theirs.
    private func completedParts(_ upload: PendingUpload, _ body: [UInt8]) throws -> [UploadedPart] {
        let malformed = GCSError(
            status: 400, reason: "invalid", xmlCode: "MalformedCompleteMultipartUploadRequest",
            message: "The XML you provided was not well-formed or did not validate against our published schema.")
        let root: XMLElement
        do {
            root = try XMLElement.parse(body)
        } catch {
            throw malformed
        }
        let named = root.children("Part")
        guard root.name == "CompleteMultipartUpload", !named.isEmpty, named.count <= GCSLimits.maximumParts else {
            throw malformed
        }
        var parts: [UploadedPart] = []
        var former = 0
        for item in named {
            guard let number = item.child("PartNumber").flatMap({ Int($0.text) }), let etag = item.child("ETag")?.text
            else { throw malformed }
            guard number > former else { throw GCSError.invalidPartOrder }
            former = number
            guard let part = upload.parts[number], part.etag.unquoted == etag.unquoted else {
                throw GCSError.invalidPart(number)
            }
            parts.append(part)
        }
        for (index, part) in parts.dropLast().enumerated() where part.body.count < GCSLimits.minimumPart {
            throw GCSError.partTooSmall(index + 1, part.body.count)
        }
        return parts
    }

    func abortUpload(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        bucket.uploads[try upload(call, in: bucket).id] = nil
        return Response(.noContent)
    }

    func listParts(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        let upload = try upload(call, in: bucket)
        let marker = try call.parameters.int("part-number-marker", in: 0...Int(Int32.max)) ?? 0
        let limit = min(try call.parameters.int("max-parts", in: 1...Int(Int32.max)) ?? GCSLimits.page, GCSLimits.page)
        let numbers = upload.sortedPartNumbers.filter { $0 > marker }
        let page = numbers.prefix(limit)
        var writer = XMLWriter()
        writer.element("ListPartsResult", attributes: Self.namespace) { writer in
            writer.element("Bucket", text: bucket.name)
            writer.element("Key", text: upload.name.text)
            writer.element("UploadId", text: upload.id)
            writer.element("StorageClass", text: upload.attributes.storageClass ?? "STANDARD")
            writer.element("PartNumberMarker", number: marker)
            if numbers.count > limit, let last = page.last { writer.element("NextPartNumberMarker", number: last) }
            writer.element("MaxParts", number: limit)
            writer.element("IsTruncated", text: numbers.count > limit ? "true" : "false")
            for number in page {
                guard let part = upload.parts[number] else { continue }
                writer.element("Part") { writer in
                    writer.element("PartNumber", number: number)
                    writer.element("LastModified", text: part.modified.iso8601)
                    writer.element("ETag", text: part.etag)
                    writer.element("Size", number: part.body.count)
                }
            }
        }
        return Response(xml: writer.bytes)
    }

    func listUploads(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        let prefix = ObjectName(call.parameters["prefix"] ?? "")
        let after = (ObjectName(call.parameters["key-marker"] ?? ""), call.parameters["upload-id-marker"] ?? "")
        let limit = min(
            try call.parameters.int("max-uploads", in: 1...Int(Int32.max)) ?? GCSLimits.page, GCSLimits.page)
        func isBehindMarker(_ upload: PendingUpload) -> Bool {
            if upload.name == after.0 { return !after.1.isEmpty && upload.id > after.1 }
            return after.0 < upload.name
        }
        let uploads = bucket.uploads.values.filter { $0.name.hasPrefix(prefix) && isBehindMarker($0) }
            .sorted { $0.name == $1.name ? $0.id < $1.id : $0.name < $1.name }
        let page = uploads.prefix(limit)
        var writer = XMLWriter()
        writer.element("ListMultipartUploadsResult", attributes: Self.namespace) { writer in
            writer.element("Bucket", text: bucket.name)
            writer.element("KeyMarker", text: after.0.text)
            writer.element("UploadIdMarker", text: after.1)
            if uploads.count > limit, let last = page.last {
                writer.element("NextKeyMarker", text: last.name.text)
                writer.element("NextUploadIdMarker", text: last.id)
            }
            writer.element("MaxUploads", number: limit)
            writer.element("IsTruncated", text: uploads.count > limit ? "true" : "false")
            for upload in page {
                writer.element("Upload") { writer in
                    writer.element("Key", text: upload.name.text)
                    writer.element("UploadId", text: upload.id)
                    writer.element("StorageClass", text: upload.attributes.storageClass ?? "STANDARD")
                    writer.element("Initiated", text: upload.started.iso8601)
                }
            }
        }
        return Response(xml: writer.bytes)
    }
}

extension String {
    /// Without the quotes around it, if there are any.
    fileprivate var unquoted: Substring {
        hasPrefix("\"") && hasSuffix("\"") && utf8.count >= 2 ? dropFirst().dropLast() : self[...]
    }
}
