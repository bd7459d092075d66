import Buffers
import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let cancellationChecks: [ConformanceCheck] = [
        ConformanceCheck("a cancelled read ends soon and leaves its buffer alone", needs: [.cancellation]) { context in
            let content = TestContent(min(16 << 20, Int(context.capabilities.maxPutSize)), seed: 120)
            let key = context.key("object")
            let version = try await context.put(content, at: key).version
            let clock = ContinuousClock()
            for turns in [0, 1, 2, 5, 20, 100] {
                let buffer = try await context.fixture.pool.acquire(content.count)
                let reading = Task {
                    do throws(StoreError) {
                        _ = try await context.store.read(
                            ReadRequest(
                                key: key, range: ByteRange(offset: 0, length: Int64(content.count)), version: version,
                                objectSize: Int64(content.count)), into: buffer)
                        return true
                    } catch {
                        try context.expectEqual(error.code, .cancelled, "the error of a cancelled read")
                        return false
                    }
                }
                for _ in 0..<turns { await Task.yield() }
                reading.cancel()
                let started = clock.now
                let arrived = try await reading.value
                try context.expect(
                    clock.now - started < .seconds(60), "an end soon after cancellation", "\(clock.now - started)")
                let slice = buffer.slice(content.count)
                if arrived {
                    let whole = slice.withUnsafeBytes { $0.elementsEqual(content.bytes) }
                    try context.expect(whole, "the whole object when the read says so", "other bytes")
                }
                // The buffer is the caller's again: nothing may write to it any more.
                buffer.base.initializeMemory(as: UInt8.self, repeating: 0x5A, count: buffer.capacity)
                let (again, _) = try await context.read(key, 0, 100_000, version: version)
                try context.expect(again == content.part(0, 100_000), "a store that still reads", "other bytes")
                let untouched = slice.withUnsafeBytes { $0.allSatisfy { $0 == 0x5A } }
                try context.expect(untouched, "a buffer that nobody writes to after the read has ended", "other bytes")
            }
        },
        ConformanceCheck("a cancelled write leaves the old object or the new one", needs: [.cancellation]) { context in
            let key = context.key("object")
            let size = min(8 << 20, Int(context.capabilities.maxPutSize))
            var possible = [TestContent(size, seed: 130)]
            try await context.put(possible[0], at: key)
            for turns in [0, 1, 3, 10, 50] {
                let content = TestContent(size, seed: 131 + UInt64(turns))
                let writing = Task { try await context.put(content, at: key) }
                for _ in 0..<turns { await Task.yield() }
                writing.cancel()
                possible.append(content)
                do {
                    let receipt = try await writing.value
                    try await context.expectObject(key, holds: content, version: receipt.version)
                    possible = [content]
                } catch let error as StoreError {
                    let unknown = error.code == .cancelled || error.retry == .unknownOutcome
                    try context.expect(unknown, "a write of unknown outcome", "\(error)")
                } catch is CancellationError {
                    // Before the store was asked.
                }
                let (found, _) = try await context.read(key, 0, size)
                try context.expect(possible.contains(found), "an object that was written", "a mix")
            }
        },
    ]
}
