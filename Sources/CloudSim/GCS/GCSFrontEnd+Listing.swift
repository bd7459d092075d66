import Digests
import NIOCore
import XMLStreaming

extension GCSFrontEnd {
    /// One page in JSON.
    func listObjects(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        let parameters = call.parameters
        for name in ["matchGlob", "softDeleted", "includeFoldersAsPrefixes", "includeTrailingDelimiter"]
        where parameters.isTrue(name) || (name == "matchGlob" && parameters[name]?.isEmpty == false) {
            throw GCSError.notImplemented("\(name) is not simulated.")
        }
        var query = ListQuery()
        query.prefix = ObjectName(parameters["prefix"] ?? "")
        query.delimiter = parameters["delimiter"].flatMap { $0.isEmpty ? nil : Array($0.utf8) }
        query.start = parameters["startOffset"].flatMap { $0.isEmpty ? nil : ObjectName($0) }
        query.end = parameters["endOffset"].flatMap { $0.isEmpty ? nil : ObjectName($0) }
        query.limit = try Self.pageSize(parameters.int("maxResults", in: 0...Int(Int32.max)))
        let token = parameters["pageToken"].flatMap { $0.isEmpty ? nil : $0 }
        if parameters.isTrue("versions") { return try listVersions(call, bucket, query, token: token) }
        if let token { query.start = try Self.name(fromToken: token) }
        let page = call.exchange?.list(bucket, query, token: token) ?? FaultyListPage(page: bucket.list(query))
        return Response(
            json: try json(page, nextToken: page.forcedToken ?? page.page.next.map(Self.token), call, bucket))
    }

    private func json(
        _ listing: FaultyListPage, nextToken: String?, _ call: GCSCall, _ bucket: Bucket
    ) throws -> [UInt8] {
        let mask = try call.mask()
        let page = listing.page
        let isSingle = bucket.older.isEmpty
        let fields = mask["items"].map { GCSResourceFields($0) } ?? []
        let resource = GCSObjectResource(origin: call.origin, bucket: bucket.name, fields: fields)
        var json = JSONBuilder(capacity: 256 + page.entries.count * (fields == .all ? 1024 : 384))
        json.beginObject()
        if mask.includes("kind") {
            json.key("kind")
            json.plain("storage#objects")
        }
        if mask.includes("nextPageToken"), let nextToken, !listing.hidesToken {
            json.key("nextPageToken")
            json.string(nextToken)
        }
        let prefixes = page.prefixes
        if mask.includes("prefixes"), !prefixes.isEmpty {
            json.key("prefixes")
            json.beginArray()
            for prefix in prefixes { json.string(prefix.text) }
            json.endArray()
        }
        if mask.includes("items"), page.entries.count > prefixes.count {
            json.key("items")
            json.beginArray()
            for case .object(let object) in page.entries {
                resource.append(
                    call.reported(object), to: &json, isLive: isSingle || bucket.object(object.name) === object)
            }
            json.endArray()
        }
        json.endObject()
        return json.bytes
    }

    private static func pageSize(_ asked: Int?) -> Int {
        guard let asked, asked > 0 else { return GCSLimits.page }
        return min(asked, GCSLimits.page)
    }

    /// Page tokens are opaque to clients: base64 of the name at which the next page starts.
    private static func token(_ name: ObjectName) -> String { Base64.encode(name.bytes) }

    private static func name(fromToken token: String) throws -> ObjectName {
        guard let bytes = Base64.decode(token) else { throw GCSError.invalid("Invalid page token: \(token)") }
        return ObjectName(bytes)
    }

    /// All versions, oldest first for each name. For tests with few objects: every page sorts all of them.
    private func listVersions(
        _ call: GCSCall, _ bucket: Bucket, _ query: ListQuery, token: String?
    ) throws -> Response {
        guard query.delimiter == nil else {
            throw GCSError.notImplemented("A delimiter together with versions is not simulated.")
        }
        var versions = bucket.allVersions.filter { version in
            version.name.hasPrefix(query.prefix) && !version.attributes.isDeleteMarker
                && query.start.map { !(version.name < $0) } ?? true && query.end.map { version.name < $0 } ?? true
        }
        func isBefore(_ a: (ObjectName, Int64), _ b: (ObjectName, Int64)) -> Bool {
            a.0 == b.0 ? a.1 < b.1 : a.0 < b.0
        }
        versions.sort { isBefore(($0.name, $0.attributes.generation), ($1.name, $1.attributes.generation)) }
        if let token {
            let fields = token.split(separator: ".")
            guard fields.count == 2, let generation = Int64(fields[1]) else {
                throw GCSError.invalid("Invalid page token: \(token)")
            }
            let first = (try Self.name(fromToken: String(fields[0])), generation)
            versions.removeAll { isBefore(($0.name, $0.attributes.generation), first) }
        }
        var page = ListPage()
        page.entries = versions.prefix(query.limit).map { .object($0) }
        let next = versions.dropFirst(query.limit).first.map {
            "\(Self.token($0.name)).\($0.attributes.generation)"
        }
        return Response(json: try json(FaultyListPage(page: page), nextToken: next, call, bucket))
    }

    // MARK: XML

    /// One page in XML, in either of its versions.
    func listObjectsAsXML(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        let parameters = call.parameters
        let isSecond = parameters["list-type"] == "2"
        var query = ListQuery()
        query.prefix = ObjectName(parameters["prefix"] ?? "")
        query.delimiter = parameters["delimiter"].flatMap { $0.isEmpty ? nil : Array($0.utf8) }
        query.limit = try Self.pageSize(parameters.int("max-keys", in: 0...Int(Int32.max)))
        let token = isSecond ? parameters["continuation-token"] : parameters["marker"]
        if isSecond {
            if let after = parameters["start-after"], !after.isEmpty { query.startAfter(ObjectName(after)) }
            if let token { query.start = try Self.name(fromToken: token) }
        } else if let marker = token.map({ ObjectName($0) }), !marker.isEmpty {
            // A marker that is a common prefix stands for everything under it.
            if let delimiter = query.delimiter, marker.bytes.count >= delimiter.count,
                marker.bytes.suffix(delimiter.count).elementsEqual(delimiter), let after = marker.afterPrefix
            {
                query.start = after
            } else {
                query.startAfter(marker)
            }
        }
        let listing = call.exchange?.list(bucket, query, token: token) ?? FaultyListPage(page: bucket.list(query))
        return Response(xml: xml(listing, query, call, bucket, isSecond: isSecond))
    }

    private func xml(
        _ listing: FaultyListPage, _ query: ListQuery, _ call: GCSCall, _ bucket: Bucket, isSecond: Bool
    ) -> [UInt8] {
        let isURLEncoded = call.parameters["encoding-type"] == "url"
        func text(_ name: ObjectName) -> [UInt8] {
            guard isURLEncoded else { return name.bytes }
            return Array(PercentCoding.encode(name.bytes, keepingSlash: true).utf8)
        }
        func element(_ name: String, _ value: ObjectName, _ writer: inout XMLWriter) {
            writer.element(name) { $0.text(utf8: text(value)) }
        }
        var writer = XMLWriter()
        writer.element("ListBucketResult", attributes: ["xmlns": "http://doc.s3.amazonaws.com/2006-03-01"]) { writer in
            writer.element("Name", text: bucket.name)
            element("Prefix", query.prefix, &writer)
            if let delimiter = query.delimiter { element("Delimiter", ObjectName(delimiter), &writer) }
            if isURLEncoded { writer.element("EncodingType", text: "url") }
            writer.element("IsTruncated", text: listing.isTruncated ? "true" : "false")
            if isSecond { writer.element("KeyCount", number: listing.page.entries.count) }
            if !listing.hidesToken, listing.isTruncated {
                if isSecond, let token = listing.forcedToken ?? listing.page.next.map(Self.token) {
                    writer.element("NextContinuationToken", text: token)
                } else if let last = listing.forcedToken.map({ ObjectName($0) }) ?? listing.page.entries.last?.name {
                    element("NextMarker", last, &writer)
                }
            }
            for case .object(let object) in listing.page.entries {
                let attributes = object.attributes
                writer.element("Contents") { writer in
                    element("Key", object.name, &writer)
                    writer.element("Generation", number: attributes.generation)
                    writer.element("MetaGeneration", number: attributes.metageneration)
                    writer.element("LastModified", text: attributes.created.iso8601)
                    writer.element("ETag", text: GCSETag.xml(attributes))
                    writer.element("Size", number: object.size)
                    writer.element("StorageClass", text: attributes.storageClass ?? "STANDARD")
                }
            }
            for prefix in listing.page.prefixes {
                writer.element("CommonPrefixes") { element("Prefix", prefix, &$0) }
            }
        }
        return writer.bytes
    }
}
