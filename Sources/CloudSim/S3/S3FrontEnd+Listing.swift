import Digests
import NIOCore
import NIOHTTP1

extension S3FrontEnd {
    private static let pageLimit = 1_000

    /// `max-keys` and its kin: at most 1,000.
    private func limit(_ request: Request, _ name: String) throws(S3Error) -> Int {
        guard let text = request.queryValue(name), !text.isEmpty else { return Self.pageLimit }
        guard let value = Int(text), value >= 0, value <= Int(Int32.max) else {
            throw .invalidArgument("Provided \(name) not an integer or within integer range", name: name, value: text)
        }
        return min(value, Self.pageLimit)
    }

    private func isURLEncoded(_ request: Request) throws(S3Error) -> Bool {
        guard let encoding = request.queryValue("encoding-type"), !encoding.isEmpty else { return false }
        guard encoding == "url" else {
            throw .invalidArgument(
                "Invalid Encoding Method specified in Request", name: "encoding-type", value: encoding)
        }
        return true
    }

    private func query(_ request: Request) throws(S3Error) -> ListQuery {
        var query = ListQuery()
        query.prefix = ObjectName(request.queryValue("prefix") ?? "")
        if let delimiter = request.queryValue("delimiter"), !delimiter.isEmpty {
            query.delimiter = Array(delimiter.utf8)
        }
        query.limit = try limit(request, "max-keys")
        return query
    }

    func listObjectsV2(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let request = call.request
        var query = try query(request)
        let encodes = try isURLEncoded(request)
        let token = request.queryValue("continuation-token")
        let startAfter = request.queryValue("start-after")
        if let token {
            guard let bytes = Base64.decode(token), !token.isEmpty else {
                throw S3Error.invalidArgument(
                    "The continuation token provided is incorrect", name: "continuation-token", value: token)
            }
            query.start = ObjectName(bytes)
        } else if let startAfter, !startAfter.isEmpty {
            query.startAfter(ObjectName(startAfter))
        }
        let result = call.exchange.list(bucket, query, token: token)
        var body = XMLBuffer(capacity: 512 + result.page.entries.count * 400)
        body.raw("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("Name", bucket.name)
        writeName("Prefix", query.prefix.bytes, encodes, &body)
        if let delimiter = query.delimiter { writeName("Delimiter", delimiter, encodes, &body) }
        if let startAfter { writeName("StartAfter", Array(startAfter.utf8), encodes, &body) }
        if let token { body.element("ContinuationToken", token) }
        let next = result.forcedToken ?? (result.hidesToken ? nil : result.page.next.map { Base64.encode($0.bytes) })
        if let next { body.element("NextContinuationToken", next) }
        body.element("KeyCount", result.page.entries.count)
        body.element("MaxKeys", query.limit)
        body.element("IsTruncated", result.isTruncated ? "true" : "false")
        if encodes { body.element("EncodingType", "url") }
        let isOwnerWanted = request.queryValue("fetch-owner") == "true"
        writeEntries(result.page, encodes, withOwner: isOwnerWanted, call.exchange, &body)
        body.raw("</ListBucketResult>")
        call.exchange.respond(xml(body))
    }

    func listObjects(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let request = call.request
        var query = try query(request)
        let encodes = try isURLEncoded(request)
        let marker = request.queryValue("marker") ?? ""
        if !marker.isEmpty {
            let name = ObjectName(marker)
            // A marker that is a common prefix stands for everything below it.
            if let delimiter = query.delimiter, name.hasPrefix(query.prefix),
                name.bytes.count > query.prefix.bytes.count,
                name.bytes.suffix(delimiter.count) == delimiter[...], let after = name.afterPrefix
            {
                query.start = after
            } else {
                query.startAfter(name)
            }
        }
        let result = call.exchange.list(bucket, query, token: marker.isEmpty ? nil : marker)
        var body = XMLBuffer(capacity: 512 + result.page.entries.count * 400)
        body.raw("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("Name", bucket.name)
        writeName("Prefix", query.prefix.bytes, encodes, &body)
        writeName("Marker", Array(marker.utf8), encodes, &body)
        body.element("MaxKeys", query.limit)
        if let delimiter = query.delimiter { writeName("Delimiter", delimiter, encodes, &body) }
        body.element("IsTruncated", result.isTruncated ? "true" : "false")
        if encodes { body.element("EncodingType", "url") }
        // Without a delimiter the service names no next marker: the last key is the one.
        if let forced = result.forcedToken {
            writeName("NextMarker", Array(forced.utf8), encodes, &body)
        } else if result.page.next != nil, !result.hidesToken, query.delimiter != nil,
            let last = result.page.entries.last
        {
            writeName("NextMarker", last.name.bytes, encodes, &body)
        }
        writeEntries(result.page, encodes, withOwner: true, call.exchange, &body)
        body.raw("</ListBucketResult>")
        call.exchange.respond(xml(body))
    }

    private func writeName(_ element: String, _ bytes: [UInt8], _ encodes: Bool, _ body: inout XMLBuffer) {
        body.open(element)
        if encodes { body.formEncoded(bytes) } else { body.escaped(bytes) }
        body.close(element)
    }

    private func writeEntries(
        _ page: ListPage, _ encodes: Bool, withOwner: Bool, _ exchange: Exchange, _ body: inout XMLBuffer
    ) {
        for entry in page.entries {
            guard case .object(let object) = entry else { continue }
            body.raw("<Contents><Key>")
            if encodes { body.formEncoded(object.name.bytes) } else { body.escaped(object.name.bytes) }
            body.raw("</Key>")
            writeObject(object, withOwner: withOwner, exchange, &body)
            body.raw("</Contents>")
        }
        for case .prefix(let name) in page.entries {
            body.raw("<CommonPrefixes><Prefix>")
            if encodes { body.formEncoded(name.bytes) } else { body.escaped(name.bytes) }
            body.raw("</Prefix></CommonPrefixes>")
        }
    }

    /// The elements that listings of objects and of versions share.
    private func writeObject(
        _ object: StoredObject, withOwner: Bool, _ exchange: Exchange, _ body: inout XMLBuffer
    ) {
        let attributes = object.attributes
        body.raw("<LastModified>")
        body.plain(dates.iso8601(attributes.modified))
        body.raw("</LastModified>")
        if let etag = toldETag(attributes.etag, exchange) {
            body.raw("<ETag>")
            body.escaped(etag.utf8)
            body.raw("</ETag>")
        }
        if let checksum = S3ChecksumKind(attributes) {
            body.raw("<ChecksumAlgorithm>")
            body.plain(checksum.algorithm.rawValue)
            body.raw("</ChecksumAlgorithm><ChecksumType>")
            body.plain(checksum.type.rawValue)
            body.raw("</ChecksumType>")
        }
        body.raw("<Size>")
        body.plain(String(object.size))
        body.raw("</Size>")
        if withOwner {
            body.raw("<Owner><ID>")
            body.plain(Self.owner)
            body.raw("</ID></Owner>")
        }
        body.raw("<StorageClass>")
        body.plain(attributes.storageClass ?? "STANDARD")
        body.raw("</StorageClass>")
    }

    func listObjectVersions(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let request = call.request
        let query = try query(request)
        let encodes = try isURLEncoded(request)
        let keyMarker = request.queryValue("key-marker") ?? ""
        let versionMarker = request.queryValue("version-id-marker") ?? ""
        let found = S3VersionPage(bucket, query, keyMarker: ObjectName(keyMarker), versionMarker: versionMarker)
        var body = XMLBuffer()
        body.raw("<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("Name", bucket.name)
        writeName("Prefix", query.prefix.bytes, encodes, &body)
        writeName("KeyMarker", Array(keyMarker.utf8), encodes, &body)
        body.element("VersionIdMarker", versionMarker)
        body.element("MaxKeys", query.limit)
        body.element("IsTruncated", found.isTruncated ? "true" : "false")
        if encodes { body.element("EncodingType", "url") }
        if found.isTruncated, let last = found.versions.last {
            writeName("NextKeyMarker", last.object.name.bytes, encodes, &body)
            body.element("NextVersionIdMarker", last.object.attributes.versionID ?? "null")
        }
        for version in found.versions {
            let attributes = version.object.attributes
            let element = attributes.isDeleteMarker ? "DeleteMarker" : "Version"
            body.open(element)
            writeName("Key", version.object.name.bytes, encodes, &body)
            body.element("VersionId", attributes.versionID ?? "null")
            body.element("IsLatest", version.isLatest ? "true" : "false")
            if attributes.isDeleteMarker {
                body.element("LastModified", dates.iso8601(attributes.modified))
            } else {
                writeObject(version.object, withOwner: true, call.exchange, &body)
            }
            body.close(element)
        }
        body.raw("</ListVersionsResult>")
        call.exchange.respond(xml(body))
    }

    func listMultipartUploads(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let request = call.request
        let encodes = try isURLEncoded(request)
        let limit = try limit(request, "max-uploads")
        let prefix = ObjectName(request.queryValue("prefix") ?? "")
        let keyMarker = ObjectName(request.queryValue("key-marker") ?? "")
        let idMarker = request.queryValue("upload-id-marker") ?? ""
        let uploads = bucket.uploads.values
            .filter { upload in
                guard upload.name.hasPrefix(prefix) else { return false }
                if upload.name == keyMarker { return !idMarker.isEmpty && upload.id > idMarker }
                return keyMarker.isEmpty || keyMarker < upload.name
            }
            .sorted { $0.name == $1.name ? $0.id < $1.id : $0.name < $1.name }
        var body = XMLBuffer()
        body.raw("<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">")
        body.element("Bucket", bucket.name)
        writeName("KeyMarker", keyMarker.bytes, encodes, &body)
        body.element("UploadIdMarker", idMarker)
        if uploads.count > limit, limit > 0 {
            writeName("NextKeyMarker", uploads[limit - 1].name.bytes, encodes, &body)
            body.element("NextUploadIdMarker", uploads[limit - 1].id)
        }
        writeName("Prefix", prefix.bytes, encodes, &body)
        body.element("MaxUploads", limit)
        body.element("IsTruncated", uploads.count > limit ? "true" : "false")
        if encodes { body.element("EncodingType", "url") }
        for upload in uploads.prefix(limit) {
            let checksum = S3UploadChecksum(upload)
            body.raw("<Upload>")
            writeName("Key", upload.name.bytes, encodes, &body)
            body.element("UploadId", upload.id)
            body.element("StorageClass", upload.attributes.storageClass ?? "STANDARD")
            body.element("Initiated", dates.iso8601(upload.started))
            if checksum.isDeclared {
                body.element("ChecksumAlgorithm", checksum.algorithm.rawValue)
                body.element("ChecksumType", checksum.type.rawValue)
            }
            body.raw("</Upload>")
        }
        body.raw("</ListMultipartUploadsResult>")
        call.exchange.respond(xml(body))
    }
}

/// Which checksum an object has, without formatting its value.
struct S3ChecksumKind {
    var algorithm: S3ChecksumAlgorithm
    var type: S3ChecksumType

    init?(_ attributes: ObjectAttributes) {
        let digests = attributes.digests
        type = .fullObject
        if digests.crc64nvme != nil {
            algorithm = .crc64nvme
        } else if let checksum = S3Checksum(attributes) {
            algorithm = checksum.algorithm
            type = checksum.type
        } else {
            return nil
        }
    }
}

/// A page of versions: keys ascending, newest first within a key.
struct S3VersionPage {
    struct Version {
        var object: StoredObject
        var isLatest: Bool
    }

    private(set) var versions: [Version] = []
    private(set) var isTruncated = false

    init(_ bucket: Bucket, _ query: ListQuery, keyMarker: ObjectName, versionMarker: String) {
        var names = Set(bucket.older.keys)
        var position = bucket.objects.lowerBound(max(query.prefix, keyMarker))
        // One more than a page of current objects is all that this page can need of them.
        for _ in 0...query.limit + 1 {
            guard let entry = bucket.objects.entry(at: position), entry.name.hasPrefix(query.prefix) else { break }
            names.insert(entry.name)
            bucket.objects.advance(&position)
        }
        for name in names.filter({ $0.hasPrefix(query.prefix) && !($0 < keyMarker) }).sorted() {
            let all = (bucket.object(name).map { [$0] } ?? []) + (bucket.older[name] ?? [])
            var rest = all[...]
            if name == keyMarker {
                guard !versionMarker.isEmpty,
                    let seen = all.firstIndex(where: { ($0.attributes.versionID ?? "null") == versionMarker })
                else { continue }
                rest = all[(seen + 1)...]
            }
            for object in rest {
                guard versions.count < query.limit else {
                    isTruncated = true
                    return
                }
                versions.append(Version(object: object, isLatest: object === all[0]))
            }
        }
    }
}
