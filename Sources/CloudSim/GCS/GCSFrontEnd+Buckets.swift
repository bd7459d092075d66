import Foundation
import NIOHTTP1

extension GCSFrontEnd {
    private struct BucketInput: Decodable {
        struct Versioning: Decodable {
            var enabled: Bool?
        }

        var name: String?
        var location: String?
        var storageClass: String?
        var versioning: Versioning?
    }

    private func input(_ body: [UInt8]) throws -> BucketInput {
        guard !body.isEmpty else { return BucketInput() }
        do {
            return try JSONDecoder().decode(BucketInput.self, from: Data(body))
        } catch {
            throw GCSError.parse
        }
    }

    private func apply(_ input: BucketInput, to bucket: Bucket) throws {
        try bucket.setProperties { properties in
            if let location = input.location { properties.region = location.uppercased() }
            if let storageClass = input.storageClass { properties.extras["storageClass"] = storageClass }
            if let enabled = input.versioning?.enabled {
                properties.versioning = enabled ? .on : properties.versioning == .off ? .off : .suspended
            }
        }
    }

    func insertBucket(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let input = try input(body)
        guard let name = input.name else { throw GCSError.requiredName }
        let bucket = try makeBucket(name)
        try apply(input, to: bucket)
        return Response(json: json(bucket, call))
    }

    /// The XML API's.
    func createBucket(_ call: GCSCall) throws -> Response {
        guard let name = call.route.bucket else { throw GCSError.requiredName }
        _ = try makeBucket(name)
        return Response(.ok)
    }

    private func makeBucket(_ name: String) throws -> Bucket {
        let isValid =
            (3...222).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            }
        guard isValid else { throw GCSError.invalid("Invalid bucket name: '\(name)'", xmlCode: "InvalidBucketName") }
        guard storage.bucket(name) == nil else { throw GCSError.bucketExists }
        return try storage.createBucket(name, region: "US")
    }

    func getBucket(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        return call.route.api == .json ? Response(json: json(bucket, call)) : Response(.ok)
    }

    func patchBucket(_ call: GCSCall, body: [UInt8]) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        try apply(try input(body), to: bucket)
        return Response(json: json(bucket, call))
    }

    func deleteBucket(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        guard bucket.isEmpty else { throw GCSError.bucketNotEmpty }
        storage.deleteBucket(bucket.name)
        return Response(.noContent)
    }

    func listBuckets(_ call: GCSCall) throws -> Response {
        let prefix = call.parameters["prefix"] ?? ""
        let after = call.parameters["pageToken"] ?? ""
        let limit = try call.parameters.int("maxResults", in: 0...Int(Int32.max)).flatMap { $0 > 0 ? $0 : nil } ?? 1000
        let buckets = storage.sortedBuckets.filter { $0.name.hasPrefix(prefix) && $0.name > after }
        var json = JSONBuilder()
        json.beginObject()
        json.key("kind")
        json.plain("storage#buckets")
        if buckets.count > limit {
            json.key("nextPageToken")
            json.plain(buckets[limit - 1].name)
        }
        if !buckets.isEmpty {
            json.key("items")
            json.beginArray()
            for bucket in buckets.prefix(limit) { append(bucket, call, to: &json) }
            json.endArray()
        }
        json.endObject()
        return Response(json: json.bytes)
    }

    func storageLayout(_ call: GCSCall) throws -> Response {
        let bucket = try bucket(call.route.bucket)
        var json = JSONBuilder()
        json.beginObject()
        json.key("kind")
        json.plain("storage#storageLayout")
        json.key("bucket")
        json.plain(bucket.name)
        json.key("location")
        json.plain(bucket.properties.region)
        json.key("locationType")
        json.plain("multi-region")
        json.endObject()
        return Response(json: json.bytes)
    }

    private func json(_ bucket: Bucket, _ call: GCSCall) -> [UInt8] {
        var json = JSONBuilder()
        append(bucket, call, to: &json)
        return json.bytes
    }

    private func append(_ bucket: Bucket, _ call: GCSCall, to json: inout JSONBuilder) {
        let properties = bucket.properties
        json.beginObject()
        json.key("kind")
        json.plain("storage#bucket")
        json.key("id")
        json.plain(bucket.name)
        json.key("selfLink")
        json.plain("\(call.origin)/storage/v1/b/\(bucket.name)")
        json.key("name")
        json.plain(bucket.name)
        json.key("projectNumber")
        json.plain("1")
        json.key("metageneration")
        json.plain("1")
        json.key("etag")
        json.plain("CAE=")
        json.key("location")
        json.string(properties.region)
        json.key("locationType")
        json.plain("multi-region")
        json.key("storageClass")
        json.string(properties.extras["storageClass"] ?? "STANDARD")
        json.key("timeCreated")
        json.time(properties.created)
        json.key("updated")
        json.time(properties.created)
        json.key("versioning")
        json.beginObject()
        json.key("enabled")
        json.bool(properties.versioning == .on)
        json.endObject()
        json.key("iamConfiguration")
        json.beginObject()
        json.key("uniformBucketLevelAccess")
        json.beginObject()
        json.key("enabled")
        json.bool(true)
        json.endObject()
        json.endObject()
        json.endObject()
    }
}
