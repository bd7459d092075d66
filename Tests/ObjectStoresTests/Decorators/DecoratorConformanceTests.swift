import ObjectStores
import ReplicationModel
import StoreConformance
import Testing

/// A decorator is a store: whatever it adds, the contract still holds.
@Suite struct DecoratorConformanceTests {
    private static func suite(_ store: any ObjectStore) -> StoreConformance {
        StoreConformance(store: store, fixture: ConformanceFixture(manyKeys: 300))
    }

    static let retrying = suite(RetryingStore(MemoryStore(), time: ManualTime()))
    static let throttled = suite(
        ThrottledStore(
            MemoryStore(), rate: ByteRateLimit(bytesPerSecond: 1 << 30, time: ManualTime()), time: ManualTime()))
    static let metered = suite(MeteredStore(MemoryStore()))
    static let prefixed = suite(PrefixedStore(MemoryStore(), prefix: "a/prefix +%/"))
    /// As the engine stacks them.
    static let all = suite(
        PrefixedStore(
            RetryingStore(ThrottledStore(MeteredStore(MemoryStore()), time: ManualTime()), time: ManualTime()),
            prefix: "p/"))

    @Test(arguments: StoreConformance.checks)
    func retryingConforms(_ check: ConformanceCheck) async throws { try await Self.retrying.run(check) }

    @Test(arguments: StoreConformance.checks)
    func throttledConforms(_ check: ConformanceCheck) async throws { try await Self.throttled.run(check) }

    @Test(arguments: StoreConformance.checks)
    func meteredConforms(_ check: ConformanceCheck) async throws { try await Self.metered.run(check) }

    @Test(arguments: StoreConformance.checks)
    func prefixedConforms(_ check: ConformanceCheck) async throws { try await Self.prefixed.run(check) }

    @Test(arguments: StoreConformance.checks)
    func theWholeStackConforms(_ check: ConformanceCheck) async throws { try await Self.all.run(check) }
}
