import ObjectStores
import StoreConformance
import Testing

/// The reference passes the suite that it is the reference for.
@Suite struct MemoryStoreTests {
    static let suite = StoreConformance(store: MemoryStore(), fixture: ConformanceFixture())

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws {
        try await Self.suite.run(check)
    }
}
