import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    func putObject(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let exchange = call.exchange
        let claimed = try S3ClaimedChecksum(call.request)
        let algorithm = claimed.algorithm ?? .crc64nvme
        var attributes = ObjectAttributes(etag: "", modified: services.clock.now, generation: 0)
        try S3Headers.read(call.request, into: &attributes)
        let sink = try S3BodySink(
            call.request, call.payload, storage, computing: etagDigests.union(algorithm.digest), claimed: claimed)
        exchange.streamBody(to: sink) { result in
            self.answer(exchange) {
                _ = try result.get()
                let (body, digests) = try sink.finish()
                try S3Conditions.checkWrite(call.request, call.key, bucket.object(call.key))
                let object = try self.store(
                    body, digests, algorithm, attributes, name: call.key, in: bucket)
                return Response(.ok, headers: self.writeHeaders(object))
            }
        }
    }

    /// Makes `body` the current object.
    func store(
        _ body: Body, _ digests: BodyDigests, _ algorithm: S3ChecksumAlgorithm, _ template: ObjectAttributes,
        name: ObjectName, in bucket: Bucket
    ) throws -> StoredObject {
        var attributes = template
        attributes.modified = services.clock.now
        attributes.created = attributes.modified
        attributes.generation = storage.nextGeneration()
        // With KMS the ETag is not a digest of the bytes.
        attributes.etag = attributes.extras["sse"] == nil ? etag(for: digests) : etag(for: BodyDigests())
        attributes.digests = digests.keeping(algorithm)
        attributes.versionID = newVersionID(bucket)
        let object = StoredObject(name: name, body: body, attributes: attributes)
        try bucket.put(object)
        return object
    }

    /// What PutObject tells about what it stored.
    func writeHeaders(_ object: StoredObject) -> HTTPHeaders {
        var headers = standardHeaders()
        headers.add(name: "ETag", value: object.attributes.etag)
        S3Checksum(object.attributes)?.add(to: &headers)
        S3Encryption.write(object.attributes, to: &headers)
        if let version = object.attributes.versionID { headers.add(name: "x-amz-version-id", value: version) }
        return headers
    }

    func deleteObject(_ call: S3Call) throws {
        let bucket = try bucket(call)
        if let list = call.request.header("if-match") {
            guard let current = bucket.object(call.key) else { throw S3Error.noSuchKey(call.key) }
            guard S3Conditions.names(list, current.attributes.etag) else {
                throw S3Error.preconditionFailed("If-Match")
            }
        }
        let outcome = try remove(call.key, version: call.request.queryValue("versionId"), from: bucket)
        var headers = standardHeaders()
        if outcome.isMarker { headers.add(name: "x-amz-delete-marker", value: "true") }
        if let version = outcome.version { headers.add(name: "x-amz-version-id", value: version) }
        call.exchange.respond(Response(.noContent, headers: headers))
    }

    /// Deletes a version for good, or the current object: behind a delete marker where versions are kept.
    private func remove(
        _ name: ObjectName, version: String?, from bucket: Bucket
    ) throws -> (version: String?, isMarker: Bool) {
        if let version {
            let removed = bucket.removeVersion(name, version)
            return (version, removed?.attributes.isDeleteMarker ?? false)
        }
        guard bucket.properties.versioning != .off else {
            bucket.remove(name)
            return (nil, false)
        }
        var attributes = ObjectAttributes(etag: "", modified: services.clock.now, generation: storage.nextGeneration())
        attributes.isDeleteMarker = true
        attributes.versionID = newVersionID(bucket)
        try bucket.put(StoredObject(name: name, body: Body(), attributes: attributes))
        return (attributes.versionID ?? "null", true)
    }

    func deleteObjects(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let exchange = call.exchange
        collectXML(call, requireChecksum: true) { body in
            let request = try S3DeleteRequest(body)
            let failsEach = exchange.fault(.errorIn200)
            if failsEach != nil { exchange.didFire(.errorIn200) }
            var answer = XMLBuffer()
            answer.raw("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
            for item in request.items {
                if let fault = failsEach {
                    let code = fault.code ?? "InternalError"
                    self.writeFailure(
                        item, S3Error(500, code, fault.message ?? "We encountered an internal error."), &answer)
                } else {
                    try self.delete(item, from: bucket, isQuiet: request.isQuiet, &answer)
                }
            }
            answer.raw("</DeleteResult>")
            return self.xml(answer)
        }
    }

    private func delete(
        _ item: S3DeleteRequest.Item, from bucket: Bucket, isQuiet: Bool, _ answer: inout XMLBuffer
    ) throws {
        if let etag = item.etag {
            guard let current = bucket.object(item.name) else {
                writeFailure(item, .noSuchKey(item.name), &answer)
                return
            }
            guard S3Conditions.names(etag, current.attributes.etag) else {
                writeFailure(item, .preconditionFailed("If-Match"), &answer)
                return
            }
        }
        let outcome = try remove(item.name, version: item.version, from: bucket)
        guard !isQuiet else { return }
        answer.raw("<Deleted><Key>")
        answer.escaped(item.name.bytes)
        answer.raw("</Key>")
        if let version = item.version { answer.element("VersionId", version) }
        if outcome.isMarker {
            answer.element("DeleteMarker", "true")
            answer.element("DeleteMarkerVersionId", outcome.version ?? "null")
        }
        answer.raw("</Deleted>")
    }

    private func writeFailure(_ item: S3DeleteRequest.Item, _ error: S3Error, _ answer: inout XMLBuffer) {
        answer.raw("<Error><Key>")
        answer.escaped(item.name.bytes)
        answer.raw("</Key>")
        if let version = item.version { answer.element("VersionId", version) }
        answer.element("Code", error.code)
        answer.element("Message", error.message)
        answer.raw("</Error>")
    }
}
