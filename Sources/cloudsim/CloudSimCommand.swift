import ArgumentParser
import CloudSim

/// `cloudsim`: the three clouds on loopback until SIGTERM or SIGINT.
@main
struct CloudSimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloudsim",
        abstract: "S3, Google Cloud Storage and Azure Blob Storage on loopback.")

    mutating func run() async throws {
        let sim = try await CloudSim.start()
        print(sim.s3.endpoint)
        try await Task.sleep(for: .seconds(86_400))
        try await sim.stop()
    }
}
