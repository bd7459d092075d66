import Cryptography
import Digests
import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    private static let minimumPart = 5 << 20

    func completeMultipartUpload(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let id = call.request.queryValue("uploadId") ?? ""
        let exchange = call.exchange
        // The whole object's checksum is sent in the headers that otherwise speak of the body.
        let sink = try S3DocumentSink(exchange.request, call.payload, S3ClaimedChecksum(), limit: Self.xmlLimit)
        exchange.streamBody(to: sink) { result in
            self.answer(exchange) {
                _ = try result.get()
                let document = try sink.finish()
                if let done = self.completions[id], done.bucket == bucket.name, done.name == call.key {
                    return self.completionAnswer(bucket, done.object, exchange)
                }
                let upload = try self.upload(call, in: bucket)
                let object = try self.complete(upload, S3CompleteRequest(document), call, bucket)
                bucket.uploads[upload.id] = nil
                self.completions.add(id, bucket: bucket.name, object)
                return self.completionAnswer(bucket, object, exchange)
            }
        }
    }

    private func complete(
        _ upload: PendingUpload, _ request: S3CompleteRequest, _ call: S3Call, _ bucket: Bucket
    ) throws -> StoredObject {
        let checksum = S3UploadChecksum(upload)
        let parts = try chosenParts(upload, request, checksum)
        var body = Body()
        for part in parts { body.append(part.part.body) }
        if let text = call.request.header("x-amz-mp-object-size") {
            guard Int(text) == body.count else {
                throw S3Error.invalidRequest(
                    "The provided 'x-amz-mp-object-size' header value does not match what was computed.")
            }
        }
        if let type = call.request.header("x-amz-checksum-type"), type.uppercased() != checksum.type.rawValue {
            throw S3Error.invalidRequest(
                "The upload was created using the \(checksum.type.rawValue) checksum mode. The complete "
                    + "request must use the same checksum mode."
            )
        }
        var attributes = upload.attributes
        S3UploadChecksum.remove(from: &attributes)
        try setChecksum(checksum, parts, call.request, &attributes)
        try S3Conditions.checkWrite(call.request, upload.name, bucket.object(upload.name))

        attributes.parts = parts.map { item in
            let value = checksum.isDeclared ? checksum.algorithm.base64(item.part.digests) : nil
            return StoredPart(
                number: item.number, size: item.part.body.count, etag: item.part.etag,
                values: value.map { [checksum.algorithm.elementName: $0] } ?? [:])
        }
        // With KMS the ETag is not a digest of the parts' bytes.
        attributes.etag = multipartETag(parts.map(\.part), isDigest: attributes.extras["sse"] == nil)
        attributes.modified = services.clock.now
        attributes.created = attributes.modified
        attributes.generation = storage.nextGeneration()
        attributes.versionID = newVersionID(bucket)
        let object = StoredObject(name: upload.name, body: body, attributes: attributes)
        try bucket.put(object)
        return object
    }

    /// The parts that the document names, in order, once each of them is what it says.
    private func chosenParts(
        _ upload: PendingUpload, _ request: S3CompleteRequest, _ checksum: S3UploadChecksum
    ) throws -> [(number: Int, part: UploadedPart)] {
        var chosen: [(number: Int, part: UploadedPart)] = []
        let usesChecksums = checksum.isDeclared && request.parts.contains { $0.checksums[checksum.algorithm] != nil }
        for (index, item) in request.parts.enumerated() {
            let isNext = chosen.last.map { $0.number < item.number } ?? true
            guard isNext, !usesChecksums || item.number == index + 1 else {
                throw S3Error(
                    400, "InvalidPartOrder",
                    "The list of parts was not in ascending order. The parts list must be specified in "
                        + "order by part number."
                )
            }
            let missing = S3Error(
                400, "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been "
                    + "uploaded, or the specified entity tag may not match the part's entity tag.",
                fields: [("UploadId", upload.id), ("PartNumber", String(item.number)), ("ETag", item.etag)])
            guard let part = upload.parts[item.number], S3Conditions.names(item.etag, part.etag), item.etag != "*"
            else {
                throw missing
            }
            if let value = item.checksums[checksum.algorithm] {
                guard value == checksum.algorithm.base64(part.digests) else { throw missing }
            } else if checksum.isDeclared && checksum.type == .composite {
                throw S3Error.invalidRequest(
                    "The upload was created using a \(checksum.algorithm.rawValue.lowercased()) "
                        + "checksum. The complete request must include the checksum for each part. "
                        + "It was missing for part \(item.number) in the request.")
            }
            chosen.append((item.number, part))
        }
        for item in chosen.dropLast() where item.part.body.count < Self.minimumPart {
            throw S3Error(
                400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
                fields: [
                    ("ProposedSize", String(item.part.body.count)), ("MinSizeAllowed", String(Self.minimumPart)),
                    ("PartNumber", String(item.number)), ("ETag", item.part.etag),
                ])
        }
        return chosen
    }

    /// Computes the object's checksum from its parts and compares it with what the client claims.
    private func setChecksum(
        _ checksum: S3UploadChecksum, _ parts: [(number: Int, part: UploadedPart)], _ request: Request,
        _ attributes: inout ObjectAttributes
    ) throws {
        let algorithm = checksum.algorithm
        let value: String
        if checksum.type == .composite {
            let hashes = parts.flatMap { algorithm.bytes($0.part.digests) ?? [] }
            value = Base64.encode(algorithm.hash(hashes)) + "-\(parts.count)"
            S3Checksum.setComposite(algorithm, value, &attributes)
        } else {
            var digests = BodyDigests()
            for item in parts { digests = Self.combined(algorithm, digests, item.part.digests, item.part.body.count) }
            attributes.digests = digests
            value = algorithm.base64(digests) ?? ""
        }
        for (name, claimed) in request.headers where name.utf8.count > 15 {
            guard let named = S3ChecksumAlgorithm.header(name) else { continue }
            guard named == algorithm, claimed == value || request.believesChecksums else {
                throw S3Error.badDigest(named.rawValue)
            }
        }
    }

    private static func combined(
        _ algorithm: S3ChecksumAlgorithm, _ a: BodyDigests, _ b: BodyDigests, _ count: Int
    ) -> BodyDigests {
        var result = BodyDigests()
        switch algorithm {
        case .crc64nvme:
            result.crc64nvme = CRC64NVME.combine(a.crc64nvme ?? 0, b.crc64nvme ?? 0, lengthOfB: Int64(count))
        case .crc32c: result.crc32c = CRC32C.combine(a.crc32c ?? 0, b.crc32c ?? 0, lengthOfB: Int64(count))
        case .crc32: result.crc32 = CRC32.combine(a.crc32 ?? 0, b.crc32 ?? 0, lengthOfB: count)
        case .sha1, .sha256: preconditionFailure("hashes have no full-object form")
        }
        return result
    }

    private func multipartETag(_ parts: [UploadedPart], isDigest: Bool) -> String {
        let hashes = isDigest ? parts.compactMap(\.digests.md5) : []
        let bytes = hashes.count == parts.count ? MD5.hash(hashes.flatMap { $0 }) : storage.randomBytes(16)
        return "\"\(Hex.encode(bytes))-\(parts.count)\""
    }

    private func completionAnswer(_ bucket: Bucket, _ object: StoredObject, _ exchange: Exchange) -> Response {
        var body = XMLBuffer()
        body.raw("<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        let path = PercentCoding.encode(object.name.bytes, keepingSlash: true)
        body.element("Location", "\(services.endpoint)/\(bucket.name)/\(path)")
        body.element("Bucket", bucket.name)
        body.element("Key", object.name.text)
        if let etag = toldETag(object.attributes.etag, exchange) { body.element("ETag", etag) }
        if let checksum = S3Checksum(object.attributes) {
            body.element(checksum.algorithm.elementName, toldChecksum(checksum.value, exchange))
            body.element("ChecksumType", checksum.type.rawValue)
        }
        body.raw("</CompleteMultipartUploadResult>")
        var headers = standardHeaders()
        S3Encryption.write(object.attributes, to: &headers)
        if let version = object.attributes.versionID { headers.add(name: "x-amz-version-id", value: version) }
        return xml(body, headers)
    }
}

/// The latest completions by upload id.
struct S3CompletionLog {
    private static let maximum = 1_000

    struct Completion {
        var bucket: String
        var name: ObjectName
        var object: StoredObject
    }

    private var entries: [String: Completion] = [:]
    private var order: [String] = []

    subscript(id: String) -> Completion? { entries[id] }

    mutating func add(_ id: String, bucket: String, _ object: StoredObject) {
        entries[id] = Completion(
            bucket: bucket, name: object.name,
            // Without the bytes: a repeated answer needs none of them.
            object: StoredObject(name: object.name, body: Body(), attributes: object.attributes))
        order.append(id)
        if order.count > Self.maximum { entries[order.removeFirst()] = nil }
    }
}
