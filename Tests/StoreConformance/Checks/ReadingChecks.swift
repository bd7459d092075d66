import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let readingChecks: [ConformanceCheck] = [
        ConformanceCheck("ranges at the start, in the middle, at the end and of everything") { context in
            let content = TestContent(300_000, seed: 3)
            let key = context.key("object")
            let version = try await context.put(content, at: key).version
            let ranges = [(0, 1), (0, 1000), (1, 1), (131_071, 65_537), (299_999, 1), (200_000, 100_000), (0, 300_000)]
            for (offset, count) in ranges {
                for pin in [version, nil] {
                    let (found, reply) = try await context.read(key, offset, count, version: pin, objectSize: 300_000)
                    try context.expect(
                        found == content.part(offset, count), "bytes \(offset)..<\(offset + count) of the object",
                        "other bytes")
                    try context.expectEqual(reply.description.object.version, version, "the version of the bytes")
                    try context.expectEqual(reply.description.object.size, 300_000, "the size of the whole object")
                    try context.expectChecksums(reply.description.object.checksums, of: content, "a ranged read")
                }
            }
        },
        ConformanceCheck("an empty range of an object that has bytes tells its version") { context in
            let key = context.key("object")
            let version = try await context.put(TestContent(1000, seed: 4), at: key).version
            let (_, reply) = try await context.read(key, 0, 0, version: version)
            try context.expectEqual(reply.description.object.version, version, "the version")
            try context.expectEqual(reply.description.object.size, 1000, "the size")
        },
        ConformanceCheck("a range that ends after the object fails and is never cut short") { context in
            let key = context.key("object")
            let version = try await context.put(TestContent(1000, seed: 5), at: key).version
            for (offset, count) in [(0, 1001), (999, 2), (1000, 1), (5000, 10)] {
                for pin in [version, nil] {
                    try await context.expectFailure(
                        .invalidRequest, .invalidResponse, of: "reading bytes \(offset)..<\(offset + count) of 1000"
                    ) { try await context.read(key, offset, count, version: pin) }
                }
            }
        },
        ConformanceCheck("a size that the object does not have is noticed") { context in
            let key = context.key("object")
            let version = try await context.put(TestContent(1000, seed: 6), at: key).version
            do {
                let (_, reply) = try await context.read(key, 0, 500, version: version, objectSize: 500)
                try context.expectEqual(reply.description.object.size, 1000, "the size of the whole object")
            } catch is StoreError {
                // Refusing is as good as telling.
            }
        },
        ConformanceCheck("a pinned read never gives bytes of another version", needs: [.pinnedReads]) { context in
            let key = context.key("object")
            let old = try await context.put(TestContent(5000, seed: 7), at: key).version
            let new = try await context.put(TestContent(5000, seed: 8), at: key).version
            for (offset, count) in [(0, 5000), (0, 1), (4000, 1000), (0, 0)] {
                try await context.expectFailure(.versionChanged, of: "reading \(count) bytes of the replaced version") {
                    try await context.read(key, offset, count, version: old, objectSize: 5000)
                }
            }
            let (found, _) = try await context.read(key, 0, 5000, version: new, objectSize: 5000)
            try context.expect(found == TestContent(5000, seed: 8), "the bytes of the new version", "other bytes")
            try await context.delete(key)
            try await context.expectFailure(.versionChanged, .notFound, of: "reading a version of a deleted object") {
                try await context.read(key, 0, 5000, version: new, objectSize: 5000)
            }
        },
        ConformanceCheck("a version that never was is not found in any other", needs: [.pinnedReads]) { context in
            let foreign = try await context.put(TestContent(10, seed: 9), at: context.key("other")).version
            try await context.put(TestContent(11, seed: 10), at: context.key("object"))
            try await context.expectFailure(.versionChanged, of: "reading by the version of another object") {
                try await context.read(context.key("object"), 0, 10, version: foreign)
            }
        },
    ]
}
