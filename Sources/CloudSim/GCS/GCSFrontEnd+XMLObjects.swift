import NIOHTTP1

extension GCSFrontEnd {
    /// PUT of an object.
    func putObject(_ call: GCSCall, _ exchange: Exchange) throws {
        let bucket = try bucket(call.route.bucket)
        guard let name = call.route.key else { throw GCSError.requiredName }
        try Self.validate(name)
        if call.request.headers.contains(name: "x-goog-resumable") {
            throw GCSError.notImplemented("Resumable uploads of the XML API are not simulated.")
        }
        let hashes = try call.parameters.hashes()
        let conditions = try call.parameters.headerPreconditions()
        var attributes = newAttributes()
        try attributes.apply(headers: call.request.headers)
        let sink = try storage.makeWriter(
            expectedLength: call.request.contentLength, digests: digests(toVerify: hashes))
        exchange.streamBody(to: sink) { [self, attributes] result in
            do {
                _ = try result.get()
                let (body, digests) = try sink.finish()
                try hashes.verify(digests)
                // The generation counts from the end of the request, as its place among other writes does.
                var finished = newAttributes()
                finished.takeProperties(of: attributes)
                finished.digests = digests
                let stored = try store(name, body, finished, in: bucket, conditions)
                exchange.respond(Response(.ok, headers: storedHeaders(stored)))
            } catch {
                fail(error, call, exchange)
            }
        }
    }

    /// What answers to writes say of the object.
    func storedHeaders(_ object: StoredObject) -> HTTPHeaders {
        let attributes = object.attributes
        var headers = HTTPHeaders()
        headers.add(name: "ETag", value: GCSETag.xml(attributes))
        headers.add(name: "x-goog-generation", value: String(attributes.generation))
        headers.add(name: "x-goog-metageneration", value: String(attributes.metageneration))
        for hash in GCSHashes.headerValues(attributes.digests) { headers.add(name: "x-goog-hash", value: hash) }
        if let key = attributes.extras[GCSEncryptionKey.extra] {
            headers.add(name: "x-goog-encryption-kms-key-name", value: key)
        }
        headers.add(name: "x-goog-stored-content-encoding", value: attributes.contentEncoding ?? "identity")
        headers.add(name: "x-goog-stored-content-length", value: String(object.size))
        return headers
    }
}

extension ObjectAttributes {
    /// Takes over what the headers of a write say about the object.
    mutating func apply(headers: HTTPHeaders) throws {
        for (name, value) in headers {
            let name = name.lowercased()
            switch name {
            case "content-type": contentType = value
            case "content-encoding": contentEncoding = value
            case "content-language": contentLanguage = value
            case "content-disposition": contentDisposition = value
            case "cache-control": cacheControl = value
            case "x-goog-storage-class": storageClass = value
            case "x-goog-custom-time": extras["customTime"] = value
            case "x-goog-encryption-kms-key-name": try encrypt(with: value)
            default:
                if name.hasPrefix("x-goog-meta-") {
                    metadata.append(MetadataItem(String(name.dropFirst("x-goog-meta-".count)), value))
                }
            }
        }
        try GCSResourceInput.validate(self)
    }

    /// Everything but generation, times and digests.
    mutating func takeProperties(of other: ObjectAttributes) {
        contentType = other.contentType
        contentEncoding = other.contentEncoding
        contentLanguage = other.contentLanguage
        contentDisposition = other.contentDisposition
        cacheControl = other.cacheControl
        storageClass = other.storageClass
        metadata = other.metadata
        extras = other.extras
    }
}
