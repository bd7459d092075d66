import StoreConformance
import Testing
import Vault

/// A vault keeps the contract of every store, committed or not.
@Suite struct VaultStoreConformanceTests {
    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws {
        let store = try await VaultStoreFixture().writing()
        let fixture = ConformanceFixture(omitted: [
            .wrongPartDigest: "see VaultStoreTests"
        ])
        try await StoreConformance(store: store, fixture: fixture).run(check)
    }
}
