import Digests
import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    private static let maximumPart = 10_000
    /// Uploads in progress in one bucket; a client that leaks more is told to slow down.
    private static let maximumUploads = 100_000

    func createMultipartUpload(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let checksum = try S3UploadChecksum(call.request)
        var attributes = ObjectAttributes(etag: "", modified: services.clock.now, generation: 0)
        try S3Headers.read(call.request, into: &attributes)
        checksum.write(to: &attributes)
        guard bucket.uploads.count < Self.maximumUploads else { throw S3Error.usual(503, code: nil, message: nil) }
        let exchange = call.exchange
        collectXML(call) { _ in
            let id = Hex.encode(self.storage.randomBytes(24))
            bucket.uploads[id] = PendingUpload(
                id: id, name: call.key, started: self.services.clock.now, attributes: attributes)
            var body = XMLBuffer()
            body.raw("<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
            body.element("Bucket", bucket.name)
            body.element("Key", exchange.target.key!.text)
            body.element("UploadId", id)
            body.raw("</InitiateMultipartUploadResult>")
            var headers = self.standardHeaders()
            S3Encryption.write(attributes, to: &headers)
            if checksum.isDeclared {
                headers.add(name: "x-amz-checksum-algorithm", value: checksum.algorithm.rawValue)
                headers.add(name: "x-amz-checksum-type", value: checksum.type.rawValue)
            }
            return self.xml(body, headers)
        }
    }

    func upload(_ call: S3Call, in bucket: Bucket) throws(S3Error) -> PendingUpload {
        guard let upload = bucket.uploads[call.request.queryValue("uploadId") ?? ""], upload.name == call.key else {
            throw .noSuchUpload
        }
        return upload
    }

    /// The upload and part number of UploadPart and UploadPartCopy.
    func pendingPart(_ call: S3Call) throws -> (PendingUpload, Int) {
        let upload = try upload(call, in: try bucket(call))
        let text = call.request.queryValue("partNumber") ?? ""
        guard let number = Int(text), (1...Self.maximumPart).contains(number) else {
            throw S3Error.invalidArgument(
                "Part number must be an integer between 1 and 10000, inclusive", name: "partNumber", value: text)
        }
        return (upload, number)
    }

    func uploadPart(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let (upload, number) = try pendingPart(call)
        let claimed = try S3ClaimedChecksum(call.request)
        let declared = S3UploadChecksum(upload)
        if declared.isDeclared {
            let sent = claimed.algorithm
            guard sent == declared.algorithm || (sent == nil && declared.type == .fullObject) else {
                throw S3Error.invalidRequest(
                    "Checksum Type mismatch occurred, expected checksum Type: "
                        + "\(declared.algorithm.rawValue.lowercased()), "
                        + "actual checksum Type: \(sent?.rawValue.lowercased() ?? "null")")
            }
        }
        let sink = try S3BodySink(
            call.request, call.payload, storage, computing: etagDigests.union(declared.algorithm.digest),
            claimed: claimed)
        let exchange = call.exchange
        exchange.streamBody(to: sink) { result in
            self.answer(exchange) {
                _ = try result.get()
                let (body, digests) = try sink.finish()
                // The upload may have been completed or aborted while the part arrived.
                guard bucket.uploads[upload.id] != nil else { throw S3Error.noSuchUpload }
                let part = UploadedPart(
                    body: body, digests: digests, etag: self.etag(for: digests), modified: self.services.clock.now)
                upload.parts[number] = part
                var headers = self.standardHeaders()
                headers.add(name: "ETag", value: part.etag)
                S3Encryption.write(upload.attributes, to: &headers)
                let shown = claimed.algorithm ?? (declared.isDeclared ? declared.algorithm : nil)
                if let shown, let value = shown.base64(digests) { headers.add(name: shown.headerName, value: value) }
                return Response(.ok, headers: headers)
            }
        }
    }

    func abortMultipartUpload(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let upload = try upload(call, in: bucket)
        bucket.uploads[upload.id] = nil
        call.exchange.respond(Response(.noContent, headers: standardHeaders()))
    }

    func listParts(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let upload = try upload(call, in: bucket)
        let request = call.request
        let limit = min(1_000, max(0, request.queryValue("max-parts").flatMap { Int($0) } ?? 1_000))
        let marker = request.queryValue("part-number-marker").flatMap { Int($0) } ?? 0
        let numbers = upload.sortedPartNumbers.filter { $0 > marker }
        let page = numbers.prefix(limit)
        let checksum = S3UploadChecksum(upload)
        var body = XMLBuffer()
        body.raw("<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("Bucket", bucket.name)
        body.element("Key", upload.name.text)
        body.element("UploadId", upload.id)
        body.element("PartNumberMarker", marker)
        if let last = page.last { body.element("NextPartNumberMarker", last) }
        body.element("MaxParts", limit)
        body.element("IsTruncated", numbers.count > page.count ? "true" : "false")
        body.element("StorageClass", upload.attributes.storageClass ?? "STANDARD")
        if checksum.isDeclared {
            body.element("ChecksumAlgorithm", checksum.algorithm.rawValue)
            body.element("ChecksumType", checksum.type.rawValue)
        }
        for number in page {
            let part = upload.parts[number]!
            body.raw("<Part>")
            body.element("PartNumber", number)
            body.element("LastModified", dates.iso8601(part.modified))
            body.element("ETag", part.etag)
            body.element("Size", part.body.count)
            if checksum.isDeclared, let value = checksum.algorithm.base64(part.digests) {
                body.element(checksum.algorithm.elementName, value)
            }
            body.raw("</Part>")
        }
        body.raw("</ListPartsResult>")
        call.exchange.respond(xml(body))
    }
}
