import ObjectStores
import ReplicationModel
import Testing

@Suite struct MeteredStoreTests {
    @Test func requestsFailuresAndBytesAreCounted() async throws {
        let store = MeteredStore(MemoryStore())
        try await store.write([UInt8](repeating: 1, count: 100), to: "a")
        try await store.write("", to: "b")
        _ = try await store.bytes(of: "a")
        _ = try await failure { _ = try await store.bytes(of: "absent") }
        _ = try await failure { try await store.write("x", to: "a", condition: .absent) }
        _ = try await store.upload([[1, 2, 3], [4]], to: "c")
        _ = await store.delete([
            DeleteRequest(key: "a", version: VersionToken("wrong")), DeleteRequest(key: "b", version: nil),
        ])
        let meter = store.meter
        #expect(
            meter.requests == [
                .put: 3, .head: 2, .read: 1, .beginUpload: 1, .uploadPart: 2, .completeUpload: 1, .delete: 2,
            ])
        #expect(meter.failures == [.head: 1, .put: 1, .delete: 1])
        #expect(meter.bytesRead == 100)
        #expect(meter.bytesWritten == 104)
    }

    @Test func everyAttemptCountsBelowTheRetries() async throws {
        let flaky = HookedStore { (operation, _, number) throws(StoreError) in
            if number <= 2 { throw .busy(operation) }
        }
        let meter = MeteredStore(flaky)
        let store = RetryingStore(meter, time: ManualTime())
        try await store.write("x", to: "a")
        #expect(meter.meter.requests == [.put: 3])
        #expect(meter.meter.failures == [.put: 2])
    }
}
