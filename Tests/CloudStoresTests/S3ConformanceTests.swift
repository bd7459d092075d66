import AWS
import CloudSim
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import S3
import StoreConformance
import TestFixtures
import Testing

/// The store against the simulated S3, through the real transport.
@Suite struct S3ConformanceTests {
    private static let bucket = Task {
        let sim = try await SimulatedClouds.running()
        try await sim.createBucket(.s3, "conformance")
        return sim
    }

    static func store(_ sim: CloudSim, bucket: String) -> S3Store {
        let identity = sim.configuration.s3
        let credentials = StaticAWSCredentials(
            AWSCredentials(accessKeyID: identity.accessKey, secretAccessKey: Secret(identity.secretKey)))
        return S3Store(
            configuration: S3Configuration(endpoint: Endpoint(sim.s3.endpoint), region: identity.region),
            bucket: bucket,
            transport: SimulatedClouds.transport, credentials: SharedCredentials(credentials, now: { 0 }))
    }

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws {
        let sim = try await Self.bucket.value
        let store = Self.store(sim, bucket: "conformance")
        let fixture = ConformanceFixture(reopen: { Self.store(sim, bucket: "conformance") })
        try await StoreConformance(store: store, fixture: fixture).run(check)
    }
}
