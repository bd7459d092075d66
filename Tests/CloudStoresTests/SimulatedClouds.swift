import CloudSim
import HTTPTransport
import TestFixtures

/// The three clouds on loopback and the transport to them, started once and shared by the suites of all stores.
enum SimulatedClouds {
    private static let starting = Task { try await CloudSim.start() }

    static let transport = CurlTransport()

    static func running() async throws -> CloudSim {
        try await starting.value
    }
}
