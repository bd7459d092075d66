import Digests
import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let writingChecks: [ConformanceCheck] =
        sizeClasses.map { name, size in
            ConformanceCheck("put, head, list and read \(name)") { context in
                let content = TestContent(size(context), seed: 1)
                let receipt = try await context.put(content, at: context.key("object"))
                try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
                try context.expectChecksums(receipt.checksums, of: content, "the receipt")
            }
        } + [
            ConformanceCheck("an unconditional put replaces whatever is there") { context in
                let key = context.key("object")
                let first = try await context.put(TestContent(100, seed: 1), at: key)
                let second = try await context.put(TestContent(100, seed: 2), at: key)
                try context.expect(
                    first.version != second.version, "another version for other bytes", "\(second.version)")
                try await context.expectObject(key, holds: TestContent(100, seed: 2), version: second.version)
                let third = try await context.put(TestContent(0, seed: 0), at: key)
                try await context.expectObject(key, holds: TestContent(0, seed: 0), version: third.version)
            },
            ConformanceCheck("an absent object is not found") { context in
                try await context.expectAbsent(context.key("absent"))
                for count in [0, 10] {
                    try await context.expectFailure(.notFound, of: "reading \(count) bytes of an absent object") {
                        try await context.read(context.key("absent"), 0, count)
                    }
                }
            },
        ]

    private static let sizeClasses: [(String, @Sendable (ConformanceContext) -> Int)] = [
        ("nothing", { _ in 0 }), ("one byte", { _ in 1 }), ("64 KiB", { _ in 64 << 10 }),
        ("more than a part", { min($0.partSize + 4321, Int($0.capabilities.maxPutSize)) }),
    ]
}
