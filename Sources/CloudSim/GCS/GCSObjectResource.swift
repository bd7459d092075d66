import Digests

/// Writes object resources for one bucket, as `storage#object`.
struct GCSObjectResource {
    /// `http://host:port`, as the client reached the server: rclone reads through `mediaLink`.
    let origin: String
    let bucket: String
    let fields: GCSResourceFields

    private let links: [UInt8]

    init(origin: String, bucket: String, fields: GCSResourceFields = .all) {
        self.origin = origin
        self.bucket = bucket
        self.fields = fields
        links = Array("/storage/v1/b/\(PercentCoding.encode(bucket.utf8))/o/".utf8)
    }

    /// - Parameter isLive: false for noncurrent versions, which say when they ceased to be the live one.
    func append(_ object: StoredObject, to json: inout JSONBuilder, isLive: Bool = true) {
        let attributes = object.attributes
        json.beginObject()
        if fields.contains(.kind) {
            json.key("kind")
            json.plain("storage#object")
        }
        appendIdentity(object, to: &json)
        if fields.contains(.contentType), let value = attributes.contentType {
            json.key("contentType")
            json.string(value)
        }
        if fields.contains(.storageClass) {
            json.key("storageClass")
            json.plain(attributes.storageClass ?? "STANDARD")
        }
        if fields.contains(.size) {
            json.key("size")
            json.plain(String(object.size))
        }
        if fields.contains(.md5Hash), let md5 = attributes.digests.md5 {
            json.key("md5Hash")
            json.plain(Base64.encode(md5))
        }
        if fields.contains(.crc32c), let crc32c = attributes.digests.crc32c {
            json.key("crc32c")
            json.plain(GCSHashes.base64(crc32c))
        }
        if fields.contains(.etag) {
            json.key("etag")
            json.plain(GCSETag.json(attributes))
        }
        appendTimes(attributes, to: &json)
        if !isLive, fields.contains(.timeDeleted) {
            json.key("timeDeleted")
            json.time(attributes.modified)
        }
        appendProperties(attributes, to: &json)
        json.endObject()
    }

    private func appendIdentity(_ object: StoredObject, to json: inout JSONBuilder) {
        let generation = String(object.attributes.generation)
        if fields.contains(.id) {
            json.key("id")
            json.string("\(bucket)/\(object.name.text)/\(generation)")
        }
        if fields.contains(.selfLink) {
            json.key("selfLink")
            json.plain { bytes in
                bytes.append(contentsOf: origin.utf8)
                bytes.append(contentsOf: links)
                PercentCoding.appendEncoded(object.name.bytes, keepingSlash: false, to: &bytes)
            }
        }
        if fields.contains(.mediaLink) {
            json.key("mediaLink")
            json.plain { bytes in
                bytes.append(contentsOf: origin.utf8)
                bytes.append(contentsOf: "/download".utf8)
                bytes.append(contentsOf: links)
                PercentCoding.appendEncoded(object.name.bytes, keepingSlash: false, to: &bytes)
                bytes.append(contentsOf: "?generation=".utf8)
                bytes.append(contentsOf: generation.utf8)
                bytes.append(contentsOf: "&alt=media".utf8)
            }
        }
        if fields.contains(.name) {
            json.key("name")
            json.string(object.name.text)
        }
        if fields.contains(.bucket) {
            json.key("bucket")
            json.string(bucket)
        }
        if fields.contains(.generation) {
            json.key("generation")
            json.plain(generation)
        }
        if fields.contains(.metageneration) {
            json.key("metageneration")
            json.plain(String(object.attributes.metageneration))
        }
    }

    private func appendTimes(_ attributes: ObjectAttributes, to json: inout JSONBuilder) {
        if fields.contains(.timeCreated) {
            json.key("timeCreated")
            json.time(attributes.created)
        }
        if fields.contains(.updated) {
            json.key("updated")
            json.time(attributes.modified)
        }
        if fields.contains(.timeStorageClassUpdated) {
            json.key("timeStorageClassUpdated")
            json.time(attributes.created)
        }
    }

    private func appendProperties(_ attributes: ObjectAttributes, to json: inout JSONBuilder) {
        if fields.contains(.contentEncoding), let value = attributes.contentEncoding {
            json.key("contentEncoding")
            json.string(value)
        }
        if fields.contains(.contentLanguage), let value = attributes.contentLanguage {
            json.key("contentLanguage")
            json.string(value)
        }
        if fields.contains(.contentDisposition), let value = attributes.contentDisposition {
            json.key("contentDisposition")
            json.string(value)
        }
        if fields.contains(.cacheControl), let value = attributes.cacheControl {
            json.key("cacheControl")
            json.string(value)
        }
        if fields.contains(.metadata), !attributes.metadata.isEmpty {
            json.key("metadata")
            json.beginObject()
            for item in attributes.metadata {
                json.key(text: item.name)
                json.string(item.value)
            }
            json.endObject()
        }
        guard !attributes.extras.isEmpty else { return }
        if fields.contains(.componentCount), let count = attributes.extras["componentCount"].flatMap({ Int($0) }) {
            json.key("componentCount")
            json.number(count)
        }
        if fields.contains(.kmsKeyName), let value = attributes.extras[GCSEncryptionKey.extra] {
            json.key("kmsKeyName")
            json.string(value)
        }
        if fields.contains(.customTime), let value = attributes.extras["customTime"] {
            json.key("customTime")
            json.string(value)
        }
        if fields.contains(.temporaryHold), attributes.extras["temporaryHold"] != nil {
            json.key("temporaryHold")
            json.bool(true)
        }
        if fields.contains(.eventBasedHold), attributes.extras["eventBasedHold"] != nil {
            json.key("eventBasedHold")
            json.bool(true)
        }
    }
}

/// Entity tags: the two APIs have different ones.
enum GCSETag {
    /// Of the JSON API: the generation and metageneration as a protocol buffer, in base64. Not a hash, not quoted.
    static func json(_ attributes: ObjectAttributes) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        for (tag, number) in [(UInt8(0x08), attributes.generation), (0x10, attributes.metageneration)] {
            bytes.append(tag)
            var rest = UInt64(bitPattern: number)
            while rest >= 0x80 {
                bytes.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
        return Base64.encode(bytes)
    }

    /// Of the XML API: the MD5 in hex where there is one, else opaque.
    static func xml(_ attributes: ObjectAttributes) -> String {
        if let md5 = attributes.digests.md5 { return "\"\(Hex.encode(md5))\"" }
        return "\"-\(json(attributes))\""
    }
}
