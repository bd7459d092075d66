import ArgumentParser
import CloudSim

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// `cloudsim`: the three clouds on loopback until SIGTERM or SIGINT.
@main
struct CloudSimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cloudsim",
        abstract: "S3, Google Cloud Storage and Azure Blob Storage on loopback.",
        discussion: """
            Prints one line of JSON with endpoints, credentials and process id once all ports are open, and runs until \
            SIGTERM or SIGINT.

            Examples:
              cloudsim                                   free ports, objects in memory
              cloudsim --s3-port 9000 --data ./objects   a fixed port, objects on disk
              cloudsim --print-env > sim.env &              then: . ./sim.env
            """)

    @Option(help: "Port of the S3 API; 0 takes a free one.")
    var s3Port = 0

    @Option(help: "Port of the Google Cloud Storage API; 0 takes a free one.")
    var gcsPort = 0

    @Option(help: "Port of the Azure Blob API; 0 takes a free one.")
    var azurePort = 0

    @Option(help: "Port of the control endpoint /_cloudsim/, which every other port has as well.")
    var controlPort = 0

    @Option(
        help: ArgumentHelp("Keep objects in this directory; without it they are in memory.", valueName: "directory"))
    var data: String?

    @Option(help: ArgumentHelp("JSON file with one fault rule or a list of them.", valueName: "file"))
    var faults: String?

    @Option(help: "S3 ETags of single uploads: md5 or random (random saves 1.5 CPU seconds per GiB).")
    var etag = ETagPolicy.md5

    @Flag(inversion: .prefixedNo, help: "Check signatures and tokens.")
    var verify = true

    @Option(help: "S3 access key.")
    var accessKey: String?

    @Option(help: "S3 secret key.")
    var secretKey: String?

    @Option(help: "S3 session token that requests must carry.")
    var sessionToken: String?

    @Option(help: "S3 region.")
    var region: String?

    @Option(
        help: "Bearer token that the Google API takes; anonymous requests are taken anyway unless --gcs-needs-token.")
    var gcsToken: String?

    @Flag(name: .customLong("gcs-needs-token"), help: "Refuse Google requests without a bearer token.")
    var gcsNeedsToken = false

    @Option(help: "Azure storage account.")
    var azureAccount: String?

    @Option(help: "Azure shared key (base64).")
    var azureKey: String?

    @Option(help: "Bearer token that the Azure API takes; may be repeated.")
    var azureToken: [String] = []

    @Option(
        help: ArgumentHelp("Create this bucket (container) in all three clouds; may be repeated.", valueName: "name"))
    var bucket: [String] = []

    @Option(help: ArgumentHelp("Write the JSON line to this file as well, once all ports are open.", valueName: "file"))
    var readyFile: String?

    @Flag(help: "Print shell assignments for other tools (AWS_ENDPOINT_URL_S3, …) instead of JSON.")
    var printEnv = false

    mutating func run() async throws {
        SlabMemory.keepFreedMemory()
        let sim = try await CloudSim.start(try configuration())
        for name in bucket {
            for cloud in Cloud.allCases { try await sim.createBucket(cloud, name) }
        }
        let announcement = Announcement(sim)
        let json = try announcement.json()
        if let readyFile { try Data((json + "\n").utf8).write(to: URL(filePath: readyFile), options: .atomic) }
        print(printEnv ? announcement.shellAssignments() : json)
        flushStandardOutput()
        await TerminationSignals.wait()
        try await sim.stop()
    }

    private func configuration() throws -> SimConfiguration {
        var configuration = SimConfiguration()
        configuration.s3Port = s3Port
        configuration.gcsPort = gcsPort
        configuration.azurePort = azurePort
        configuration.controlPort = controlPort
        configuration.dataDirectory = data
        configuration.etag = etag
        configuration.verifiesSignatures = verify
        if let accessKey { configuration.s3.accessKey = accessKey }
        if let secretKey { configuration.s3.secretKey = secretKey }
        if let sessionToken { configuration.s3.sessionToken = sessionToken }
        if let region { configuration.s3.region = region }
        if let gcsToken { configuration.gcs.bearerTokens = [gcsToken] }
        configuration.gcs.allowsAnonymous = !gcsNeedsToken
        if let azureAccount { configuration.azure.account = azureAccount }
        if let azureKey { configuration.azure.key = azureKey }
        if !azureToken.isEmpty { configuration.azure.bearerTokens = azureToken }
        if let faults { configuration.faults = try loadFaults(faults) }
        return configuration
    }

    private func loadFaults(_ path: String) throws -> [FaultRule] {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            let isList = data.first { $0 > 0x20 } == UInt8(ascii: "[")
            let decoder = JSONDecoder()
            return isList
                ? try decoder.decode([FaultRule].self, from: data) : [try decoder.decode(FaultRule.self, from: data)]
        } catch {
            throw ValidationError("--faults \(path) is not a JSON rule or list of rules: \(error)")
        }
    }
}

extension ETagPolicy: ExpressibleByArgument {}
