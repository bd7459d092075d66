import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// `/_cloudsim/…` on every port: faults, request counters, quick data, the clock. JSON in and out.
///
/// | request | does |
/// |---|---|
/// | `GET faults` | rules with how often each matched and fired |
/// | `POST faults` | adds a rule or a list of rules; answers their ids |
/// | `DELETE faults` | removes all rules |
/// | `GET requests`, `DELETE requests` | counters by cloud and operation; reset, traffic too |
/// | `GET traffic` | bytes of bodies, received and sent, by cloud and operation |
/// | `POST bucket` | `{"cloud","bucket","region"?,"versioning"?}` |
/// | `POST populate` | `{"cloud","bucket","prefix","count","size","seed"?}` |
/// | `POST storage-class` | `{"cloud","bucket","key","storageClass","archived"}` |
/// | `POST clock` | `{"offsetSeconds"}` |
final class ControlEndpoint {
    /// What one `populate` may make.
    private static let maximumObjects = 2_000_000
    private static let bodyLimit = 1 << 20

    private unowned let server: ServerCore

    init(_ server: ServerCore) {
        self.server = server
    }

    /// Why a control request is refused.
    struct Refusal: Error, CustomStringConvertible {
        var status: HTTPResponseStatus = .badRequest
        var description: String
    }

    private struct Command: Decodable {
        var cloud: Cloud?
        var bucket: String?
        var region: String?
        var versioning: Versioning?
        var prefix: String?
        var key: String?
        var count: Int?
        var size: Int?
        var seed: UInt64?
        var storageClass: String?
        var archived: Bool?
        var offsetSeconds: Int?
    }

    func handle(_ exchange: Exchange) {
        exchange.collectBody(limit: Self.bodyLimit) { result in
            do {
                let body = try result.get()
                let answer = try self.answer(exchange.request, Data(body.readableBytesView))
                exchange.respond(Response(.ok, contentType: "application/json", text: answer))
            } catch let refusal as Refusal {
                exchange.respond(self.failure(refusal.status, refusal.description))
            } catch is DecodingError {
                exchange.respond(self.failure(.badRequest, "the body is not the JSON this request takes"))
            } catch {
                exchange.respond(self.failure(.internalServerError, "\(error)"))
            }
        }
    }

    private func failure(_ status: HTTPResponseStatus, _ message: String) -> Response {
        let json = (try? encode(["error": message])) ?? "{}"
        return Response(status, contentType: "application/json", text: json)
    }

    private func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private func answer(_ request: Request, _ body: Data) throws -> String {
        let name = request.rawPath.split(separator: "/").dropFirst().joined(separator: "/")
        switch (request.method, name) {
        case ("GET", "faults"): return try encode(server.faults.entries)
        case ("POST", "faults"):
            let isList = body.first { $0 > 0x20 } == UInt8(ascii: "[")
            let rules = isList ? try decode([FaultRule].self, body) : [try decode(FaultRule.self, body)]
            return try encode(["ids": rules.map { server.faults.add($0) }])
        case ("DELETE", "faults"):
            server.faults.clear()
            return "{}"
        case ("GET", "requests"):
            var named: [String: [String: Int]] = [:]
            for (cloud, counts) in server.counters.snapshot() { named[cloud.rawValue] = counts }
            return try encode(named)
        case ("GET", "traffic"):
            var named: [String: [String: RequestCounters.Traffic]] = [:]
            for (cloud, traffic) in server.counters.traffic() { named[cloud.rawValue] = traffic }
            return try encode(named)
        case ("DELETE", "requests"):
            server.counters.reset()
            return "{}"
        case ("POST", _):
            try perform(name, try decode(Command.self, body))
            return "{}"
        default:
            throw Refusal(status: .notFound, description: "no such control request: \(request.method) \(name)")
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ body: Data) throws -> Value {
        try JSONDecoder().decode(type, from: body)
    }

    private func perform(_ name: String, _ command: Command) throws {
        if name == "clock" {
            server.clock.offsetNanoseconds = Int64(command.offsetSeconds ?? 0) * 1_000_000_000
            return
        }
        guard let cloud = command.cloud, let bucket = command.bucket else {
            throw Refusal(description: "\(name) needs cloud and bucket")
        }
        switch name {
        case "bucket":
            try createBucket(cloud, bucket, region: command.region)
            if let versioning = command.versioning {
                try self.bucket(cloud, bucket).setProperties { $0.versioning = versioning }
            }
        case "populate":
            try populate(
                cloud, bucket: bucket, prefix: command.prefix ?? "", count: command.count ?? 1, size: command.size ?? 0,
                seed: command.seed ?? 0)
        case "storage-class":
            try setStorageClass(
                cloud, bucket: bucket, key: command.key ?? "", storageClass: command.storageClass ?? "",
                archived: command.archived ?? false)
        default: throw Refusal(status: .notFound, description: "no such control request: POST \(name)")
        }
    }

    // MARK: What tests call directly as well

    func createBucket(_ cloud: Cloud, _ name: String, region: String?) throws {
        let (services, frontEnd) = service(cloud)
        let name = frontEnd.storageName(ofBucket: name)
        guard services.storage.bucket(name) == nil else { return }
        try services.storage.createBucket(name, region: region ?? services.configuration.s3.region)
    }

    func populate(_ cloud: Cloud, bucket: String, prefix: String, count: Int, size: Int, seed: UInt64) throws {
        guard (0...Self.maximumObjects).contains(count), size >= 0 else {
            throw Refusal(description: "count must be at most \(Self.maximumObjects), size not negative")
        }
        try createBucket(cloud, bucket, region: nil)
        let (services, frontEnd) = service(cloud)
        try ObjectMaker(services: services, frontEnd: frontEnd).populate(
            try self.bucket(cloud, bucket), prefix: prefix, count: count, size: size, seed: seed)
    }

    func put(_ cloud: Cloud, bucket: String, key: String, bytes: [UInt8]) throws {
        try createBucket(cloud, bucket, region: nil)
        let (services, frontEnd) = service(cloud)
        try ObjectMaker(services: services, frontEnd: frontEnd).put(
            ObjectName(key), bytes: ByteBuffer(bytes: bytes), in: try self.bucket(cloud, bucket)
        ) { _ in }
    }

    func bytes(_ cloud: Cloud, bucket: String, key: String) throws -> [UInt8]? {
        guard let object = try self.bucket(cloud, bucket).object(ObjectName(key)) else { return nil }
        return Array(try object.body.collected().readableBytesView)
    }

    func setStorageClass(
        _ cloud: Cloud, bucket: String, key: String, storageClass: String, archived: Bool
    ) throws {
        let (_, frontEnd) = service(cloud)
        let bucket = try self.bucket(cloud, bucket)
        guard let object = bucket.object(ObjectName(key)) else {
            throw Refusal(status: .notFound, description: "no object \(key) in \(bucket.name)")
        }
        try bucket.update(
            object.with { frontEnd.setStorageClass(storageClass, archived: archived, &$0) })
    }

    private func bucket(_ cloud: Cloud, _ name: String) throws -> Bucket {
        let (services, frontEnd) = service(cloud)
        guard let bucket = services.storage.bucket(frontEnd.storageName(ofBucket: name)) else {
            throw Refusal(status: .notFound, description: "no bucket \(name)")
        }
        return bucket
    }

    private func service(_ cloud: Cloud) -> (SimServices, any FrontEnd) {
        (server.ports[cloud]!.services!, server.ports[cloud]!.frontEnd!)
    }
}
