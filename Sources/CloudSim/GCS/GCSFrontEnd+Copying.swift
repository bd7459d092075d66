import Digests
import Foundation
import XMLStreaming

/// Rewrites that take several calls, by token.
struct GCSRewriteTokens {
    struct Progress {
        var source: ObjectIdentifier
        var written: Int
    }

    private static let maximumCount = 1_000

    private var progress: [String: Progress] = [:]

    subscript(token: String) -> Progress? { progress[token] }

    mutating func set(_ token: String, _ value: Progress?) {
        progress[token] = value
        if progress.count > Self.maximumCount, let other = progress.keys.first(where: { $0 != token }) {
            progress[other] = nil
        }
    }
}

extension GCSFrontEnd {
    /// Where a copy comes from and goes to.
    private struct Copying {
        var source: StoredObject
        var sourceBucket: Bucket
        var target: ObjectName
        var targetBucket: Bucket
    }

    private func copying(_ call: GCSCall) throws -> Copying {
        let sourceBucket = try bucket(call.route.bucket)
        let targetBucket = try bucket(call.route.targetBucket)
        guard let name = call.route.key, let target = call.route.targetKey else { throw GCSError.requiredName }
        let source = try object(name, in: sourceBucket, generation: try call.parameters.int64("sourceGeneration"))
        try call.parameters.preconditions(source: true).requireForWrite(on: source)
        return Copying(source: source, sourceBucket: sourceBucket, target: target, targetBucket: targetBucket)
    }

    /// The attributes of a copy: the source's, or those of the body where it says any.
    ///
    /// - Parameter key: what the copy is encrypted with; the source's key is not taken over.
    private func attributes(
        copiedFrom source: StoredObject, _ body: [UInt8], encryptedWith key: String?
    ) throws -> ObjectAttributes {
        var attributes = newAttributes()
        let former = source.attributes
        attributes.contentType = former.contentType
        attributes.contentEncoding = former.contentEncoding
        attributes.contentLanguage = former.contentLanguage
        attributes.contentDisposition = former.contentDisposition
        attributes.cacheControl = former.cacheControl
        attributes.metadata = former.metadata
        attributes.storageClass = former.storageClass
        attributes.digests = former.digests
        for name in ["componentCount", "customTime"] { attributes.extras[name] = former.extras[name] }
        let input = try GCSResourceInput(json: body)
        if input.changesAnything { try input.replace(&attributes) }
        try attributes.encrypt(with: key ?? input.kmsKeyName)
        return attributes
    }

    func copy(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let copying = try copying(call)
        let attributes = try attributes(
            copiedFrom: copying.source, body, encryptedWith: call.parameters["destinationKmsKeyName"])
        let stored = try store(
            copying.target, copying.source.body, attributes, in: copying.targetBucket, call.parameters.preconditions())
        return try call.reply(stored, in: copying.targetBucket)
    }

    /// One call is enough unless `maxBytesRewrittenPerCall` says how much a call may do.
    func rewrite(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let copying = try copying(call)
        let size = copying.source.size
        var written = size
        var token: String?
        if let asked = call.parameters["rewriteToken"] {
            guard let progress = rewrites[asked], progress.source == ObjectIdentifier(copying.source) else {
                throw GCSError.invalid("Invalid rewrite token.")
            }
            token = asked
            written = progress.written
        } else {
            written = 0
        }
        let step = try call.parameters.int("maxBytesRewrittenPerCall", in: 1...Int.max) ?? Int.max
        guard step == Int.max || step % (1 << 20) == 0 else {
            throw GCSError.invalid("maxBytesRewrittenPerCall must be a multiple of 1 MiB.")
        }
        written = step < size - written ? written + step : size

        var json = JSONBuilder()
        json.beginObject()
        json.key("kind")
        json.plain("storage#rewriteResponse")
        json.key("totalBytesRewritten")
        json.plain(String(written))
        json.key("objectSize")
        json.plain(String(size))
        json.key("done")
        json.bool(written == size)
        if written < size {
            let token = token ?? Hex.encode(storage.randomBytes(16))
            rewrites.set(token, .init(source: ObjectIdentifier(copying.source), written: written))
            json.key("rewriteToken")
            json.plain(token)
        } else {
            if let token { rewrites.set(token, nil) }
            let attributes = try attributes(
                copiedFrom: copying.source, body, encryptedWith: call.parameters["destinationKmsKeyName"])
            let stored = try store(
                copying.target, copying.source.body, attributes, in: copying.targetBucket,
                call.parameters.preconditions())
            json.key("resource")
            let fields = try call.mask()["resource"].map { GCSResourceFields($0) } ?? .all
            GCSObjectResource(origin: call.origin, bucket: copying.targetBucket.name, fields: fields)
                .append(call.reported(stored), to: &json)
        }
        json.endObject()
        return Response(json: json.bytes)
    }

    /// Renames within a bucket: the copy appears and the source goes in one step.
    func move(_ call: GCSCall) throws -> Response {
        let copying = try copying(call)
        guard copying.source.name != copying.target else {
            throw GCSError.invalid("The source and the destination of a move must differ.")
        }
        try requireNoHold(copying.source, in: copying.sourceBucket)
        var attributes = try attributes(copiedFrom: copying.source, [], encryptedWith: nil)
        attributes.extras[GCSEncryptionKey.extra] = copying.source.attributes.extras[GCSEncryptionKey.extra]
        let stored = try store(
            copying.target, copying.source.body, attributes, in: copying.targetBucket, call.parameters.preconditions())
        copying.sourceBucket.remove(copying.source.name)
        return try call.reply(stored, in: copying.targetBucket)
    }

    // MARK: Compose

    private struct ComposeRequest: Decodable {
        struct Source: Decodable {
            struct Conditions: Decodable {
                var ifGenerationMatch: FlexibleInteger?
            }

            var name: String
            var generation: FlexibleInteger?
            var objectPreconditions: Conditions?
        }

        var sourceObjects: [Source]?
        var destination: GCSResourceInput?
        var deleteSourceObjects: Bool?
    }

    /// A 64-bit number, which JSON clients send as text or as a number.
    private struct FlexibleInteger: Decodable {
        var value: Int64

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                guard let value = Int64(text) else { throw GCSError.invalid("Invalid number \(text)") }
                self.value = value
            } else {
                value = try container.decode(Int64.self)
            }
        }
    }

    /// Puts up to 32 objects of one bucket together; the result has no MD5.
    func compose(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        guard let target = call.route.key else { throw GCSError.requiredName }
        let request: ComposeRequest
        do {
            request = try JSONDecoder().decode(ComposeRequest.self, from: Data(body))
        } catch let error as GCSError {
            throw error
        } catch {
            throw GCSError.parse
        }
        let sources = request.sourceObjects ?? []
        guard !sources.isEmpty else { throw GCSError.invalid("You must provide at least one source component.") }
        guard sources.count <= GCSLimits.composeSources else {
            throw GCSError.invalid(
                "The number of source components provided (\(sources.count)) exceeds the maximum "
                    + "(\(GCSLimits.composeSources))")
        }
        var whole = Body()
        var attributes = newAttributes()
        attributes.digests.crc32c = 0
        var components = 0
        var parts: [StoredObject] = []
        for source in sources {
            let part = try object(ObjectName(source.name), in: bucket, generation: source.generation?.value)
            if let match = source.objectPreconditions?.ifGenerationMatch?.value, match != part.attributes.generation {
                throw GCSError.conditionNotMet
            }
            attributes.digests.crc32c = CRC32C.combine(
                attributes.digests.crc32c ?? 0, part.attributes.digests.crc32c ?? 0, lengthOfB: Int64(part.size))
            whole.append(part.body)
            components += part.attributes.extras["componentCount"].flatMap { Int($0) } ?? 1
            parts.append(part)
        }
        try request.destination?.patch(&attributes)
        try attributes.encrypt(with: call.parameters["kmsKeyName"] ?? request.destination?.kmsKeyName)
        attributes.extras["componentCount"] = String(components)
        let stored = try store(target, whole, attributes, in: bucket, call.parameters.preconditions())
        if request.deleteSourceObjects ?? false {
            for part in parts where part.name != target { bucket.remove(part.name) }
        }
        return try call.reply(stored, in: bucket)
    }

    // MARK: The copy of the XML API

    func copyObject(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        guard let target = call.route.key, let text = call.parameters.header("x-goog-copy-source") else {
            throw GCSError.requiredName
        }
        let path = text.utf8.drop { $0 == UInt8(ascii: "/") }
        guard let slash = path.firstIndex(of: UInt8(ascii: "/")) else {
            throw GCSError.invalid("Invalid copy source: \(text)")
        }
        let sourceBucket = try self.bucket(String(decoding: PercentCoding.decode(path[..<slash]), as: UTF8.self))
        let generation = call.parameters.header("x-goog-copy-source-generation").flatMap { Int64($0) }
        let name = ObjectName(PercentCoding.decode(path[path.index(after: slash)...]))
        let source = try object(name, in: sourceBucket, generation: generation)
        try call.parameters.headerPreconditions(source: true).requireForWrite(on: source)
        var attributes = try attributes(
            copiedFrom: source, [], encryptedWith: call.parameters.header("x-goog-encryption-kms-key-name"))
        if call.parameters.header("x-goog-metadata-directive")?.uppercased() == "REPLACE" {
            let digests = attributes.digests
            let storageClass = attributes.storageClass
            attributes = newAttributes()
            attributes.digests = digests
            attributes.storageClass = storageClass
            try attributes.apply(headers: call.request.headers)
        }
        let stored = try store(target, source.body, attributes, in: bucket, call.parameters.headerPreconditions())
        var writer = XMLWriter()
        writer.element("CopyObjectResult") { writer in
            writer.element("ETag", text: GCSETag.xml(stored.attributes))
            writer.element("LastModified", text: stored.attributes.created.iso8601)
        }
        return Response(xml: writer.bytes, headers: storedHeaders(stored))
    }
}

extension GCSResourceInput {
    /// Whether it says anything that an object keeps, besides its name.
    fileprivate var changesAnything: Bool {
        for change in [
            contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl, storageClass, customTime,
        ] {
            if case .keep = change { continue }
            return true
        }
        if case .keep = metadata { return temporaryHold != nil || eventBasedHold != nil }
        return true
    }
}
