import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let racingChecks: [ConformanceCheck] = [
        ConformanceCheck("of racing create-only puts exactly one wins", needs: [.createOnly, .racingWriters]) {
            context in
            for round in 0..<3 {
                try await context.race(at: context.key("created-\(round)"), condition: .absent)
            }
        },
        ConformanceCheck(
            "of racing replacements of one version exactly one wins", needs: [.compareAndSwap, .racingWriters]
        ) {
            context in
            for round in 0..<3 {
                let key = context.key("replaced-\(round)")
                let version = try await context.put(TestContent(777, seed: 30), at: key).version
                try await context.race(at: key, condition: .matches(version))
            }
        },
        ConformanceCheck(
            "of racing uploads exactly one wins", needs: [.multipart, .conditionalCompletion, .racingWriters]
        ) {
            context in
            let key = context.key("object")
            try await context.expectOneWinner(at: key, writers: 3, size: context.partSize + 10) { content in
                try await context.upload(content, at: key, condition: .absent)
            }
        },
        ConformanceCheck("readers see the old object or the new one while it is replaced") { context in
            let key = context.key("object")
            let size = 200_000
            let contents = (0..<6).map { TestContent(size, seed: 40 + UInt64($0)) }
            try await context.put(contents[0], at: key)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for content in contents.dropFirst() { try await context.put(content, at: key) }
                }
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<12 {
                            do {
                                let (found, _) = try await context.read(key, 0, size, objectSize: Int64(size))
                                try context.expect(contents.contains(found), "one of the contents written", "a mix")
                            } catch let error as StoreError where error.code == .versionChanged {
                                // Replaced in the middle of the read, and noticed.
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await context.expectObject(key, holds: contents[5])
        },
    ]
}

extension ConformanceContext {
    fileprivate func race(at key: ObjectKey, condition: WriteCondition) async throws {
        try await expectOneWinner(at: key, writers: 6, size: 50_000) { content in
            try await self.put(content, at: key, condition: condition)
        }
    }

    /// The losers may be told of a conflict that is worth another try, as S3 does (409); then the condition fails.
    fileprivate func expectOneWinner(
        at key: ObjectKey, writers: Int, size: Int,
        _ write: @escaping @Sendable (TestContent) async throws -> WriteReceipt
    ) async throws {
        let contents = (0..<writers).map { TestContent(size, seed: 50 + UInt64($0)) }
        let outcomes: [WriteReceipt?] = try await bounded(contents) { content in
            var attempts = 0
            while true {
                do {
                    return try await write(content)
                } catch let error as StoreError where error.code == .preconditionFailed {
                    return nil
                } catch let error as StoreError where error.retry == .transient && attempts < 10 {
                    attempts += 1
                }
            }
        }
        let winners = outcomes.indices.filter { outcomes[$0] != nil }
        try expect(winners.count == 1, "exactly one winner of \(writers)", "\(winners.count)")
        try await expectObject(key, holds: contents[winners[0]], version: outcomes[winners[0]]!.version)
    }
}
