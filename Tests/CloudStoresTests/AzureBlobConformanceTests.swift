import Azure
import AzureBlob
import CloudSim
import HTTPStores
import ObjectStores
import StoreConformance
import TestFixtures
import Testing

/// The store against the simulated Azure, through the real transport.
@Suite struct AzureBlobConformanceTests {
    static let container = "conformance"

    private static let prepared = Task {
        let sim = try await SimulatedClouds.running()
        try await sim.createBucket(.azure, container)
        return sim
    }

    /// - Parameter key: nil takes the right one.
    static func store(_ sim: CloudSim, container: String, key: String? = nil) throws -> AzureBlobStore {
        let identity = sim.configuration.azure
        let configuration = try AzureBlobConfiguration.resolve(
            account: identity.account, endpoint: sim.azure.endpoint, environment: [:])
        let credentials = try AzureCredentials.shared(
            AzureIdentity(), account: identity.account, scope: .storage, endpoint: configuration.endpoint,
            environment: ["AZURE_STORAGE_KEY": key ?? identity.key], transport: SimulatedClouds.transport, now: { 0 })
        return AzureBlobStore(
            configuration: configuration, account: identity.account, container: container,
            transport: SimulatedClouds.transport, credentials: credentials)
    }

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws {
        let sim = try await Self.prepared.value
        let store = try Self.store(sim, container: Self.container)
        let fixture = ConformanceFixture(
            omitted: [.sharedAborts: "the service has no call that aborts; blocks vanish after a week"],
            reopen: { try Self.store(sim, container: Self.container) })
        try await StoreConformance(store: store, fixture: fixture).run(check)
    }
}
