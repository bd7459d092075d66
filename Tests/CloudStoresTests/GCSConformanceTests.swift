import CloudSim
import GCS
import HTTPStores
import HTTPTransport
import ObjectStores
import StoreConformance
import TestFixtures
import Testing

/// The whole contract against CloudSim, by each of the two ways that large objects go.
@Suite struct GCSConformanceTests {
    /// How an upload goes.
    enum Way: String, Sendable, CaseIterable {
        /// As users have it: by the number of parts.
        case standard
        case multipart
        case sessions

        var sequentialPartLimit: Int {
            switch self {
            case .standard: GCSStore.standardSequentialPartLimit
            case .multipart: 0
            case .sessions: .max
            }
        }

        var omitted: [ConformanceGroup: String] {
            switch self {
            case .multipart: [:]
            case .standard, .sessions:
                [.openUploads: "resumable sessions cannot be listed; the service drops them after a week"]
            }
        }
    }

    private static let simulation = Task { () -> CloudSim in
        let sim = try await CloudSim.start()
        for way in Way.allCases { try await sim.createBucket(.gcs, "conformance-\(way.rawValue)") }
        return sim
    }

    private static let transport = CurlTransport()

    private func suite(_ way: Way) async throws -> StoreConformance {
        let endpoint = try await Self.simulation.value.gcs.endpoint
        let make: @Sendable () throws -> any ObjectStore = {
            let configuration = try GCSConfiguration.resolve(environment: ["STORAGE_EMULATOR_HOST": endpoint])
            return GCSStore(
                configuration: configuration, bucket: "conformance-\(way.rawValue)", transport: Self.transport,
                credentials: nil,
                sequentialPartLimit: way.sequentialPartLimit)
        }
        return StoreConformance(
            store: try make(), fixture: ConformanceFixture(omitted: way.omitted, reopen: make))
    }

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws { try await suite(.standard).run(check) }

    @Test(
        arguments: StoreConformance.checks.filter {
            $0.description.contains("upload") || $0.description.contains("part")
        })
    func conformsByMultipartUploads(_ check: ConformanceCheck) async throws { try await suite(.multipart).run(check) }

    @Test(
        arguments: StoreConformance.checks.filter {
            $0.description.contains("upload") || $0.description.contains("part")
        })
    func conformsBySessions(_ check: ConformanceCheck) async throws { try await suite(.sessions).run(check) }
}
