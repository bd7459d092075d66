import NIOCore
import NIOHTTP1
import XMLStreaming

extension S3FrontEnd {
    func listBuckets(_ call: S3Call) throws {
        var body = XMLBuffer()
        body.raw("<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner>")
        body.element("ID", Self.owner)
        body.raw("</Owner><Buckets>")
        for bucket in storage.sortedBuckets {
            body.raw("<Bucket>")
            body.element("Name", bucket.name)
            body.element("CreationDate", dates.iso8601(bucket.properties.created))
            body.element("BucketRegion", bucket.properties.region)
            body.raw("</Bucket>")
        }
        body.raw("</Buckets></ListAllMyBucketsResult>")
        call.exchange.respond(xml(body))
    }

    func createBucket(_ call: S3Call) throws {
        let name = call.exchange.target.bucket ?? ""
        guard Self.isValid(name) else {
            throw S3Error(
                400, "InvalidBucketName", "The specified bucket is not valid.", fields: [("BucketName", name)])
        }
        guard storage.bucket(name) == nil else {
            throw S3Error(
                409, "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
                fields: [("BucketName", name)])
        }
        collectXML(call) { body in
            let region = try self.region(constraint: body, call)
            try self.storage.createBucket(name, region: region)
            var headers = self.standardHeaders()
            headers.add(name: "Location", value: "/\(name)")
            return Response(.ok, headers: headers)
        }
    }

    /// The region of a new bucket: its LocationConstraint, which must be the region that the request was signed for.
    private func region(constraint body: ByteBuffer, _ call: S3Call) throws -> String {
        var constraint = ""
        if body.readableBytes > 0 {
            guard let root = try? body.withUnsafeReadableBytes({ try XMLElement.parse($0) }),
                root.name == "CreateBucketConfiguration"
            else { throw S3Error.malformedXML }
            constraint = root.child("LocationConstraint")?.text ?? ""
        }
        let wanted = constraint.isEmpty ? (call.region ?? services.configuration.s3.region) : constraint
        if let signed = call.region, signed != wanted {
            throw S3Error(
                400, "IllegalLocationConstraintException",
                "The \(wanted) location constraint is incompatible for the region specific endpoint this "
                    + "request was sent to."
            )
        }
        return wanted
    }

    private static func isValid(_ name: String) -> Bool {
        guard (3...63).contains(name.utf8.count), name.first != "-", name.first != ".", name.last != "-",
            name.last != "."
        else { return false }
        return name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
    }

    func headBucket(_ call: S3Call) throws {
        let bucket = try bucket(call)
        var headers = standardHeaders()
        headers.add(name: "x-amz-bucket-region", value: bucket.properties.region)
        headers.add(name: "Content-Type", value: "application/xml")
        call.exchange.respond(Response(.ok, headers: headers))
    }

    func deleteBucket(_ call: S3Call) throws {
        let bucket = try bucket(call)
        guard bucket.isEmpty else {
            throw S3Error(
                409, "BucketNotEmpty", "The bucket you tried to delete is not empty",
                fields: [("BucketName", bucket.name)])
        }
        storage.deleteBucket(bucket.name)
        call.exchange.respond(Response(.noContent, headers: standardHeaders()))
    }

    func getBucketLocation(_ call: S3Call) throws {
        // Answered from any region: it is how clients find out.
        let name = call.exchange.target.bucket ?? ""
        guard let bucket = storage.bucket(name) else { throw S3Error.noSuchBucket(name) }
        var body = XMLBuffer()
        body.raw("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        // The oldest region has no name here.
        if bucket.properties.region != "us-east-1" { body.escaped(bucket.properties.region.utf8) }
        body.raw("</LocationConstraint>")
        call.exchange.respond(xml(body))
    }

    func getBucketVersioning(_ call: S3Call) throws {
        let bucket = try bucket(call)
        var body = XMLBuffer()
        body.raw("<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        switch bucket.properties.versioning {
        case .off: break
        case .on: body.element("Status", "Enabled")
        case .suspended: body.element("Status", "Suspended")
        }
        body.raw("</VersioningConfiguration>")
        call.exchange.respond(xml(body))
    }

    func putBucketVersioning(_ call: S3Call) throws {
        let bucket = try bucket(call)
        collectXML(call) { body in
            guard let root = try? body.withUnsafeReadableBytes({ try XMLElement.parse($0) }),
                root.name == "VersioningConfiguration", let status = root.child("Status")?.text,
                status == "Enabled" || status == "Suspended"
            else { throw S3Error.malformedXML }
            try bucket.setProperties { $0.versioning = status == "Enabled" ? .on : .suspended }
            return Response(.ok, headers: self.standardHeaders())
        }
    }

    /// Takes a small body through the same checks as an upload, and answers with what `then` makes of it.
    func collectXML(_ call: S3Call, requireChecksum: Bool = false, _ then: @escaping (ByteBuffer) throws -> Response) {
        let exchange = call.exchange
        do {
            let claimed = try S3ClaimedChecksum(call.request)
            if requireChecksum, claimed.algorithm == nil, call.request.header("content-md5") == nil {
                throw S3Error.invalidRequest(
                    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
            }
            let sink = try S3DocumentSink(call.request, call.payload, claimed, limit: Self.xmlLimit)
            exchange.streamBody(to: sink) { result in
                self.answer(exchange) {
                    _ = try result.get()
                    return try then(try sink.finish())
                }
            }
        } catch {
            refuse(exchange, error)
        }
    }
}
