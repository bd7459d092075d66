import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let multipartChecks: [ConformanceCheck] =
        partCounts.map { name, size in
            ConformanceCheck("an upload of \(name) makes the object", needs: [.multipart]) { context in
                let content = TestContent(size(context.partSize), seed: 140)
                let receipt = try await context.upload(content, at: context.key("folder/object"))
                try await context.expectObject(context.key("folder/object"), holds: content, version: receipt.version)
                try context.expectChecksums(receipt.checksums, of: content, "the receipt")
            }
        } + [
            ConformanceCheck("parts go in parallel where the session allows", needs: [.multipart]) { context in
                let content = TestContent(5 * context.partSize + 1, seed: 141)
                let session = try await context.begin(context.key("object"), size: content.count)
                let receipts = try await context.sendParts(
                    content.parts(of: context.partSize), of: session, inParallel: true)
                let receipt = try await context.complete(session, receipts, digest: content.digest)
                try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
            },
            ConformanceCheck("an upload under an odd key makes the object", needs: [.multipart, .oddKeys]) { context in
                let key = context.key("a+b %2F c&d=ü/<e>#?")
                if let problem = context.store.rules.problem(with: key) {
                    return print("conformance: \(key): \(problem)")
                }
                let content = TestContent(context.partSize + 17, seed: 142)
                let receipt = try await context.upload(content, at: key)
                try await context.expectObject(key, holds: content, version: receipt.version)
            },
            ConformanceCheck(
                "parts that were sent are listed with sizes and checksums", needs: [.multipart, .listParts]
            ) { context in
                let content = TestContent(2 * context.partSize + 100, seed: 143)
                let parts = content.parts(of: context.partSize)
                let session = try await context.begin(context.key("object"), size: content.count)
                // Out of order, and with a gap where the session allows one.
                let sent = session.partOrder == .parallel ? [3, 1] : [1, 2]
                var receipts: [Int: PartReceipt] = [:]
                for number in sent {
                    receipts[number] = try await context.sendPart(parts[number - 1], number: number, of: session)
                }
                let listed = try await context.store.listParts(of: session)
                try context.expectEqual(listed.map(\.number), sent.sorted(), "the numbers of the parts")
                for part in listed {
                    let content = parts[part.number - 1]
                    try context.expectEqual(part.size, Int64(content.count), "the size of part \(part.number)")
                    try context.expectEqual(part.tag, receipts[part.number]!.tag, "the tag of part \(part.number)")
                    try context.expectChecksums(part.checksums, of: content, "the list of parts")
                }
            },
            ConformanceCheck("a part that is sent again takes the place of the first", needs: [.multipart]) { context in
                let content = TestContent(context.partSize + 100, seed: 144)
                let parts = content.parts(of: context.partSize)
                let session = try await context.begin(context.key("object"), size: content.count)
                guard session.partOrder == .parallel else { return }
                _ = try await context.sendPart(TestContent(context.partSize, seed: 145), number: 1, of: session)
                let receipts = try await context.sendParts(parts, of: session)
                let receipt = try await context.complete(session, receipts, digest: content.digest)
                try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
            },
        ]

    private static let partCounts: [(String, @Sendable (Int) -> Int)] = [
        ("one short part", { $0 - 1 }), ("exactly one part", { $0 }), ("a part and a byte", { $0 + 1 }),
        ("exactly three parts", { 3 * $0 }), ("three parts and a rest", { 3 * $0 + 777 }),
    ]
}
