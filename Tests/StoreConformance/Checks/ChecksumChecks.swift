import Digests
import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let checksumChecks: [ConformanceCheck] = [
        ConformanceCheck("bytes that differ from their checksum are not stored", needs: [.wrongDigest]) { context in
            let key = context.key("object")
            for size in [1, 70_000] {
                let content = TestContent(size, seed: 70)
                try await context.expectFailure(.checksumMismatch, of: "a put of \(size) bytes with another checksum") {
                    try await context.put(content, at: key, digest: content.digest.damaged)
                }
                try await context.expectAbsent(key)
            }
            let old = TestContent(500, seed: 71)
            let version = try await context.put(old, at: key).version
            try await context.expectFailure(.checksumMismatch, of: "a replacement with another checksum") {
                let content = TestContent(500, seed: 72)
                return try await context.put(content, at: key, digest: content.digest.damaged)
            }
            try await context.expectObject(key, holds: old, version: version)
        },
        ConformanceCheck("a part that differs from its checksum is not stored", needs: [.multipart, .wrongPartDigest]) {
            context in
            let content = TestContent(context.partSize + 100, seed: 73)
            let parts = content.parts(of: context.partSize)
            let session = try await context.begin(context.key("object"), size: content.count)
            try await context.expectFailure(.checksumMismatch, of: "a part with another checksum") {
                try await context.sendPart(parts[0], number: 1, of: session, digest: parts[0].digest.damaged)
            }
            // The session stands, and the part that is right is taken.
            let receipts = try await context.sendParts(parts, of: session)
            let receipt = try await context.complete(session, receipts, digest: content.digest)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("receipts carry the checksum of the whole object", needs: [.reportedChecksums]) { context in
            for size in [0, 1, 100_000] {
                let content = TestContent(size, seed: 74)
                let receipt = try await context.put(content, at: context.key("object-\(size)"))
                try context.expect(
                    receipt.checksums.agrees(with: content.checksums) == true,
                    "the checksum of \(size) bytes that were put",
                    "\(receipt.checksums)")
            }
        },
        ConformanceCheck(
            "the receipt of an upload carries the checksum of the whole object",
            needs: [.reportedChecksums, .multipart]
        ) {
            context in
            let content = TestContent(2 * context.partSize + 5, seed: 75)
            let receipt = try await context.upload(content, at: context.key("object"))
            try context.expect(
                receipt.checksums.agrees(with: content.checksums) == true,
                "the checksum of the object, not of its parts",
                "\(receipt.checksums)")
        },
        ConformanceCheck("the checksums of a version are true, and told of that version only", needs: [.pinnedReads]) {
            context in
            let key = context.key("object")
            for size in [0, 1, 100_000] {
                let content = TestContent(size, seed: 77)
                try await context.expectChecksums(of: key, try await context.put(content, at: key).version, content)
            }
            let old = try await context.store.head(key).object.version
            try await context.put(TestContent(100_000, seed: 78), at: key)
            try await context.expectFailure(.versionChanged, of: "the checksums of a replaced version") {
                try await context.store.checksums(of: key, version: old, size: 100_000)
            }
            try await context.delete(key)
            try await context.expectFailure(.notFound, of: "the checksums of a deleted object") {
                try await context.store.checksums(of: key, version: old, size: 100_000)
            }
        },
        ConformanceCheck(
            "the checksums of an object made of parts are those of its bytes", needs: [.pinnedReads, .multipart]
        ) { context in
            let key = context.key("object")
            let content = TestContent(2 * context.partSize + 5, seed: 79)
            let receipt = try await context.upload(content, at: key)
            try await context.expectChecksums(of: key, receipt.version, content)
        },
        ConformanceCheck("a whole digest that is wrong is refused or contradicted, never repeated", needs: [.multipart])
        { context in
            let content = TestContent(context.partSize + 100, seed: 76)
            let session = try await context.begin(context.key("object"), size: content.count)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            let wrong = content.digest.damaged
            do {
                let receipt = try await context.complete(session, receipts, digest: wrong)
                let claimed = ObjectChecksums(crc32c: wrong.crc32c, crc64nvme: wrong.crc64nvme)
                try context.expect(
                    receipt.checksums.agrees(with: claimed) != true, "the checksum of the stored bytes",
                    "the wrong one that was sent")
            } catch let error as StoreError {
                try context.expectEqual(error.code, .checksumMismatch, "the refusal of a wrong whole digest")
                try await context.expectAbsent(context.key("object"))
            }
        },
    ]
}

extension ConformanceContext {
    /// They are true, and at least those that `head` tells.
    fileprivate func expectChecksums(
        of key: ObjectKey, _ version: VersionToken, _ content: TestContent
    ) async throws {
        let told = try await store.checksums(of: key, version: version, size: Int64(content.count))
        try expectChecksums(told, of: content, "the store's checksums of \(content.count) bytes")
        let described = try await store.head(key).object.checksums
        try expect(
            described.isEmpty || told.agrees(with: described) == true, "the checksums that head tells: \(described)",
            "\(told)")
    }
}

extension ContentDigest {
    /// The digest of other bytes of the same length.
    var damaged: ContentDigest {
        ContentDigest(crc32c: crc32c ^ 0x0100_0001, crc64nvme: crc64nvme ^ 0x0100_0000_0000_0001, length: length)
    }
}

extension TestContent {
    var checksums: ObjectChecksums { ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme) }
}
