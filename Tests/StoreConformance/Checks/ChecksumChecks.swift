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

extension ContentDigest {
    /// The digest of other bytes of the same length.
    var damaged: ContentDigest {
        ContentDigest(crc32c: crc32c ^ 0x0100_0001, crc64nvme: crc64nvme ^ 0x0100_0000_0000_0001, length: length)
    }
}

extension TestContent {
    var checksums: ObjectChecksums { ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme) }
}
