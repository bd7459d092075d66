import CloudSim

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a person or a script needs to know to use the simulator.
struct Announcement: Encodable {
    struct S3: Encodable {
        var endpoint: String
        var accessKey: String
        var secretKey: String
        var sessionToken: String?
        var region: String
    }

    struct GCS: Encodable {
        var endpoint: String
        var token: String
        var project: String
    }

    struct Azure: Encodable {
        var endpoint: String
        var account: String
        var key: String
        var token: String
        var connectionString: String
    }

    var s3: S3
    var gcs: GCS
    var azure: Azure
    var control: String
    var pid: Int32
    /// Variables that other tools understand.
    var environment: [String: String]

    init(_ sim: CloudSim) {
        let configuration = sim.configuration
        s3 = S3(
            endpoint: sim.s3.endpoint, accessKey: configuration.s3.accessKey, secretKey: configuration.s3.secretKey,
            sessionToken: configuration.s3.sessionToken, region: configuration.s3.region)
        gcs = GCS(
            endpoint: sim.gcs.endpoint, token: configuration.gcs.bearerTokens.first ?? "",
            project: configuration.gcs.project)
        let account = configuration.azure.account
        let blobEndpoint = "\(sim.azure.endpoint)/\(account)"
        azure = Azure(
            endpoint: blobEndpoint, account: account, key: configuration.azure.key,
            token: configuration.azure.bearerTokens.first ?? "",
            connectionString:
                "DefaultEndpointsProtocol=http;AccountName=\(account);AccountKey=\(configuration.azure.key);"
                + "BlobEndpoint=\(blobEndpoint);")
        control = sim.control.endpoint + "/_cloudsim"
        pid = getpid()
        environment = [
            "AWS_ENDPOINT_URL_S3": s3.endpoint, "AWS_ACCESS_KEY_ID": s3.accessKey,
            "AWS_SECRET_ACCESS_KEY": s3.secretKey,
            "AWS_REGION": s3.region, "AWS_DEFAULT_REGION": s3.region, "STORAGE_EMULATOR_HOST": gcs.endpoint,
            "AZURE_STORAGE_CONNECTION_STRING": azure.connectionString, "CLOUDSIM_CONTROL": control,
            "CLOUDSIM_PID": String(pid),
        ]
        if let token = s3.sessionToken { environment["AWS_SESSION_TOKEN"] = token }
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// `export NAME='value'` lines, for `eval`.
    func shellAssignments() -> String {
        environment.sorted { $0.key < $1.key }
            .map { name, value in
                let parts = value.split(separator: "'", omittingEmptySubsequences: false)
                return "export \(name)='\(parts.joined(separator: "'\\''"))'"
            }
            .joined(separator: "\n")
    }
}

func flushStandardOutput() {
    fflush(nil)
}
