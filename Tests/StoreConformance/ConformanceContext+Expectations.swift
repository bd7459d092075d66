import Digests
import ObjectStores
import ReplicationModel

extension ConformanceContext {
    func failure(_ expected: String, _ found: String) -> ConformanceFailure {
        ConformanceFailure(check: check, expected: expected, found: found)
    }

    func expect(_ holds: Bool, _ expected: @autoclosure () -> String, _ found: @autoclosure () -> String) throws {
        if !holds { throw failure(expected(), found()) }
    }

    func expectEqual<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String) throws {
        if found != expected { throw failure("\(what): \(expected)", "\(found)") }
    }

    /// The call must fail with one of the codes.
    @discardableResult
    func expectFailure<Result>(
        _ codes: StoreError.Code..., of what: String, _ call: () async throws -> Result
    ) async throws -> StoreError {
        let expected = "\(what) to fail as \(codes.map(\.rawValue).joined(separator: " or "))"
        let result: Result
        do {
            result = try await call()
        } catch let error as StoreError {
            try expect(codes.contains(error.code), expected, "\(error.code.rawValue): \(error)")
            return error
        }
        throw failure(expected, "success: \(result)")
    }

    /// The object holds this content, by every way of asking: head, listing, whole read.
    @discardableResult
    func expectObject(
        _ key: ObjectKey, holds content: TestContent, version: VersionToken? = nil, attributes: ObjectAttributes? = nil
    ) async throws -> ObjectDescription {
        let head = try await store.head(key)
        try expectDescription(head.object, key, content, version, "head")
        let listed = try await list(key).first { $0.key == key }
        guard let listed else { throw failure("\(key) in the listing of its own key", "no such entry") }
        try expectDescription(listed, key, content, head.object.version, "the listing")
        let (found, reply) = try await read(
            key, 0, content.count, version: head.object.version, objectSize: Int64(content.count))
        try expect(found == content, "the \(content.count) bytes that were written to \(key)", "other bytes")
        try expectDescription(reply.description.object, key, content, head.object.version, "the read")
        try expectEqual(
            reply.description.attributes, head.attributes, "the attributes of a read of \(key), as head tells them")
        if let attributes { try expectEqual(head.attributes, attributes, "the attributes of \(key)") }
        return head
    }

    private func expectDescription(
        _ object: ListedObject, _ key: ObjectKey, _ content: TestContent, _ version: VersionToken?, _ origin: String
    ) throws {
        try expectEqual(object.key, key, "the key according to \(origin)")
        try expectEqual(object.size, Int64(content.count), "the size of \(key) according to \(origin)")
        try expect(!object.version.text.isEmpty, "a version token from \(origin)", "an empty one")
        if let version { try expectEqual(object.version, version, "the version of \(key) according to \(origin)") }
        try expect(object.modified >= 0, "a time of change from \(origin)", "\(object.modified)")
        try expect(object.archiveTier == nil, "a readable object according to \(origin)", "\(object.archiveTier ?? "")")
        try expectChecksums(object.checksums, of: content, "\(origin) of \(key)")
    }

    /// What is reported must be true; nothing has to be.
    func expectChecksums(_ reported: ObjectChecksums, of content: TestContent, _ origin: String) throws {
        let digest = content.digest
        if let crc32c = reported.crc32c { try expectEqual(crc32c, digest.crc32c, "the CRC-32C according to \(origin)") }
        if let crc64nvme = reported.crc64nvme {
            try expectEqual(crc64nvme, digest.crc64nvme, "the CRC-64/NVME according to \(origin)")
        }
        if let md5 = reported.md5 { try expectEqual(md5.count, 16, "the bytes of the MD5 according to \(origin)") }
    }

    func expectAbsent(_ key: ObjectKey) async throws {
        try await expectFailure(.notFound, of: "head of the absent \(key)") { try await self.store.head(key) }
        let listed = try await list(key).contains { $0.key == key }
        try expect(!listed, "no entry for the absent \(key) in the listing", "one")
    }
}
