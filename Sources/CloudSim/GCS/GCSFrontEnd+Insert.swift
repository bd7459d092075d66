import NIOHTTP1

extension GCSFrontEnd {
    /// `uploadType=media`: the body is the object.
    func insertMedia(_ call: GCSCall, _ exchange: Exchange) throws {
        let bucket = try bucket(call.route.bucket)
        guard let name = call.route.key else { throw GCSError.requiredName }
        try Self.validate(name)
        let hashes = try call.parameters.hashes()
        let conditions = try call.parameters.preconditions()
        var input = GCSResourceInput()
        if let encoding = call.parameters["contentEncoding"] { input.contentEncoding = .set(encoding) }
        input.kmsKeyName = call.parameters["kmsKeyName"]
        let sink = try storage.makeWriter(
            expectedLength: call.request.contentLength, digests: digests(toVerify: hashes))
        exchange.streamBody(to: sink) { [self] result in
            do {
                _ = try result.get()
                let stored = try insert(
                    sink, name, input, type: call.request.header("content-type"), hashes, in: bucket, conditions)
                exchange.respond(try call.reply(stored, in: bucket))
            } catch {
                fail(error, call, exchange)
            }
        }
    }

    /// `uploadType=multipart`: the resource and the bytes in one body.
    func insertMultipart(_ call: GCSCall, _ exchange: Exchange) throws {
        let bucket = try bucket(call.route.bucket)
        let type = call.request.header("content-type") ?? ""
        guard let boundary = GCSMultipart.boundary(of: type, "multipart/related") else {
            throw GCSError.invalid("Multipart must have a boundary in its Content-Type.")
        }
        let conditions = try call.parameters.preconditions()
        let headerHashes = try call.parameters.hashes()
        let sink = GCSRelatedSink(boundary: boundary) { [self] resource in
            let hashes = try resource.hashes(adding: headerHashes)
            return try storage.makeWriter(
                expectedLength: call.request.contentLength, digests: digests(toVerify: hashes))
        }
        exchange.streamBody(to: sink) { [self] result in
            do {
                _ = try result.get()
                guard let writer = sink.writer, sink.isComplete else {
                    throw GCSError.invalid("Missing end boundary in multipart body.")
                }
                guard let name = call.route.key ?? sink.resource.name.map({ ObjectName($0) }) else {
                    throw GCSError.requiredName
                }
                var input = sink.resource
                input.kmsKeyName = call.parameters["kmsKeyName"] ?? input.kmsKeyName
                let stored = try insert(
                    writer, name, input, type: sink.mediaType,
                    exchange.request.believesChecksums
                        ? GCSHashes() : sink.resource.hashes(adding: headerHashes),
                    in: bucket, conditions)
                exchange.respond(try call.reply(stored, in: bucket))
            } catch {
                fail(error, call, exchange)
            }
        }
    }

    func digests(toVerify hashes: GCSHashes) -> DigestSet {
        hashes.needsMD5 ? standingDigests.union(.md5) : standingDigests
    }

    /// Verifies and stores what a writer has received.
    private func insert(
        _ writer: BodyWriter, _ name: ObjectName, _ input: GCSResourceInput, type: String?, _ hashes: GCSHashes,
        in bucket: Bucket, _ conditions: GCSPreconditions
    ) throws -> StoredObject {
        let (body, digests) = try writer.finish()
        try hashes.verify(digests)
        var attributes = newAttributes()
        attributes.contentType = type
        try input.patch(&attributes)
        try attributes.encrypt(with: input.kmsKeyName)
        attributes.digests = digests
        return try store(name, body, attributes, in: bucket, conditions)
    }
}

extension GCSResourceInput {
    /// The checksums of the resource together with those of headers.
    func hashes(adding others: GCSHashes = GCSHashes()) throws -> GCSHashes {
        var hashes = others
        if let crc32c { try hashes.add(crc32c: crc32c) }
        if let md5Hash { try hashes.add(md5: md5Hash) }
        return hashes
    }
}

/// Content types of several parts.
enum GCSMultipart {
    /// The boundary of a content type, quoted or not; nil when it is not of the kind given or has none.
    static func boundary(of contentType: String, _ kind: String) -> String? {
        let fields = contentType.split(separator: ";").map { $0.drop { $0 == " " } }
        guard fields.first?.lowercased().hasPrefix(kind) ?? false else { return nil }
        for field in fields.dropFirst() where field.lowercased().hasPrefix("boundary=") {
            var value = field.dropFirst("boundary=".count)
            if value.first == "\"", value.last == "\"", value.count > 2 { value = value.dropFirst().dropLast() }
            return value.isEmpty ? nil : String(value)
        }
        return nil
    }
}
