import NIOHTTP1

extension GCSFrontEnd {
    func startResumable(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        var resource = try GCSResourceInput(json: body)
        resource.kmsKeyName = call.parameters["kmsKeyName"] ?? resource.kmsKeyName
        guard let name = call.route.key ?? resource.name.map({ ObjectName($0) }) else { throw GCSError.requiredName }
        try Self.validate(name)
        let hashes = try resource.hashes()
        let announced = call.request.header("x-upload-content-length").flatMap { Int($0) }
        let writer = try storage.makeWriter(
            expectedLength: announced, digests: digests(toVerify: hashes).subtracting(.crc32c))
        // What cannot be taken is refused before the bytes are sent.
        var attributes = ObjectAttributes(etag: "", modified: services.clock.now, generation: 0)
        try resource.patch(&attributes)
        try attributes.encrypt(with: resource.kmsKeyName)
        let session = GCSResumableSession(
            id: sessions.makeID(), bucket: bucket.name, name: name, started: services.clock.now, resource: resource,
            contentType: call.request.header("x-upload-content-type"),
            conditions: try call.parameters.preconditions(), announcedLength: announced, writer: writer)
        sessions.add(session)
        let path = "/upload/storage/v1/b/\(PercentCoding.encode(bucket.name.utf8))/o"
        var response = Response(.ok)
        response.headers.add(
            name: "Location",
            value: "\(call.origin)\(path)?uploadType=resumable&name=\(PercentCoding.encode(name.bytes))"
                + "&upload_id=\(session.id)")
        response.headers.add(name: "X-GUploader-UploadID", value: session.id)
        return response
    }

    func cancelResumable(_ call: GCSCall) throws -> Response {
        sessions.remove(try session(call))
        return Response(HTTPResponseStatus(statusCode: 499, reasonPhrase: "Client Closed Request"))
    }

    private func session(_ call: GCSCall) throws -> GCSResumableSession {
        guard let id = call.parameters["upload_id"], let session = sessions[id] else {
            throw GCSError(
                status: 404, reason: "notFound", xmlCode: "NoSuchUpload", message: "No such upload session.")
        }
        return session
    }

    /// A chunk, a status query, or the whole object in one request to the session.
    func takeChunk(_ call: GCSCall, _ exchange: Exchange) throws {
        let session = try session(call)
        if session.finished != nil {
            exchange.respond(try progress(session, call))
            return
        }
        let range: GCSContentRange
        if let text = call.request.header("content-range") {
            guard let parsed = GCSContentRange(text) else { throw GCSError.invalid("Invalid Content-Range: \(text)") }
            range = parsed
        } else {
            range = GCSContentRange(wholeOf: call.request.contentLength)
        }
        guard !session.isReceiving else {
            throw GCSError(
                status: 503, reason: "backendError", xmlCode: "ServiceUnavailable",
                message: "Another request is uploading to this session.")
        }
        let isUnbounded = range.bytes == nil && call.request.header("content-range") == nil
        guard range.bytes != nil || isUnbounded else {
            // `bytes */N`: a status query, unless everything is there already, as for an empty object.
            if range.total == session.count { try finalize(session, try call.parameters.hashes()) }
            exchange.respond(try progress(session, call))
            return
        }
        try receive(range, isUnbounded: isUnbounded, into: session, call, exchange)
    }

    private func receive(
        _ range: GCSContentRange, isUnbounded: Bool, into session: GCSResumableSession, _ call: GCSCall,
        _ exchange: Exchange
    ) throws {
        let start = range.bytes?.lowerBound ?? 0
        guard start <= session.count else {
            throw GCSError.invalid(
                "Invalid request. The chunk starts at \(start), but only \(session.count) bytes have been received.")
        }
        let hashes = try call.parameters.hashes()
        let end = range.bytes?.upperBound ?? Int.max
        let isLast = isUnbounded || range.total == end
        let quantum = GCSLimits.resumableQuantum
        let sink = GCSChunkSink(session, start: start, keepBefore: isLast ? end : end / quantum * quantum)
        session.isReceiving = true
        exchange.streamBody(to: sink) { [self] result in
            session.isReceiving = false
            do {
                _ = try result.get()
                if let bytes = range.bytes, sink.received != bytes.count {
                    throw GCSError.invalid(
                        "Invalid request. There were \(sink.received) byte(s) in the request body. There should have been "
                            + "\(bytes.count) byte(s) (starting at offset \(start) and ending at offset \(end - 1)) "
                            + "according to the Content-Range header.")
                }
                if isLast {
                    guard session.count == range.bytes?.upperBound ?? sink.received else {
                        throw GCSError.invalid(
                            "Invalid request. \(session.count) bytes have been received before, more than are sent now."
                        )
                    }
                    try finalize(session, hashes)
                }
                exchange.respond(try progress(session, call))
            } catch {
                fail(error, call, exchange)
            }
        }
    }

    /// Makes the object. Whatever is wrong with it ends the session.
    private func finalize(_ session: GCSResumableSession, _ headerHashes: GCSHashes) throws {
        do {
            let bucket = try bucket(session.bucket)
            if let announced = session.announcedLength, announced != session.count {
                throw GCSError.invalid(
                    "Invalid request. \(session.count) bytes were uploaded, X-Upload-Content-Length was \(announced).")
            }
            let hashes = try session.resource.hashes()
            if headerHashes.needsMD5, standingDigests.isDisjoint(with: .md5), !hashes.needsMD5 {
                throw GCSError.notImplemented(
                    "MD5 is switched off: send a CRC-32C, or the MD5 when the session starts.")
            }
            let (body, digests) = try session.finish()
            try hashes.verify(digests)
            try headerHashes.verify(digests)
            var attributes = newAttributes()
            attributes.contentType = session.contentType
            try session.resource.patch(&attributes)
            try attributes.encrypt(with: session.resource.kmsKeyName)
            attributes.digests = digests
            session.finished = try store(session.name, body, attributes, in: bucket, session.conditions)
        } catch {
            sessions.remove(session)
            throw error
        }
    }

    /// The object if there is one, else 308 with what is stored.
    private func progress(_ session: GCSResumableSession, _ call: GCSCall) throws -> Response {
        if let object = session.finished { return try call.reply(object, in: try bucket(session.bucket)) }
        var headers = HTTPHeaders()
        if session.count > 0 {
            headers.add(name: "Range", value: "bytes=0-\(session.count - 1)")
            headers.add(name: "x-goog-running-hash", value: "crc32c=" + GCSHashes.base64(session.crc32c))
        }
        headers.add(name: "X-GUploader-UploadID", value: session.id)
        // Go's client asks for another status, because 308 has got another meaning since.
        if call.request.header("x-guploader-no-308") == "yes" {
            headers.add(name: "X-Http-Status-Code-Override", value: "308")
            return Response(.ok, headers: headers)
        }
        return Response(HTTPResponseStatus(statusCode: 308, reasonPhrase: "Resume Incomplete"), headers: headers)
    }
}
