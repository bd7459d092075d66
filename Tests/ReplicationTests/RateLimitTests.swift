import Buffers
import ObjectStores
import ReplicationModel
import Testing

@Suite struct RateLimitTests {
    @Test func `a rate of one byte a second and an absurd range do not overflow`() async throws {
        let time = SteppedTime()
        let rate = ByteRateLimit(bytesPerSecond: 1, time: time)
        let store = ThrottledStore(MemoryStore(), rate: rate, time: time)
        let buffer = try await BufferPool(limit: 1 << 20).acquire(1)
        for _ in 0..<3 {
            await #expect(throws: StoreError.self) {
                try await store.read(
                    ReadRequest(key: "a", range: ByteRange(offset: 0, length: 1 << 40), version: nil), into: buffer)
            }
        }
    }
}
