import ArgumentParser

/// Where one location is served and as whom it is asked. What is not given comes from the cloud's conventional variables.
struct Connection: Sendable, Hashable {
    var endpoint: String?
    var region: String?
    var profile: String?
}

/// `--endpoint`, `--region`, `--profile` of the commands with one location.
struct EndpointOptions: ParsableArguments {
    @Option(help: "The service's URL, e.g. http://127.0.0.1:9000; else AWS_ENDPOINT_URL_S3, STORAGE_EMULATOR_HOST, …")
    var endpoint: String?

    @Option(help: "The region to sign for (S3).")
    var region: String?

    @Option(help: "The profile of the AWS shared files; for Azure the suffix of the AZURE_STORAGE_… variables.")
    var profile: String?

    var connection: Connection { Connection(endpoint: endpoint, region: region, profile: profile) }
}

/// `--source-…` and `--target-…` of the commands with two.
struct PairEndpointOptions: ParsableArguments {
    @Option(help: "The source service's URL, e.g. http://127.0.0.1:9000.")
    var sourceEndpoint: String?
    @Option(help: "The source's region (S3).")
    var sourceRegion: String?
    @Option(help: "The source's profile.")
    var sourceProfile: String?
    @Option(help: "The target service's URL.")
    var targetEndpoint: String?
    @Option(help: "The target's region (S3).")
    var targetRegion: String?
    @Option(help: "The target's profile.")
    var targetProfile: String?

    var source: Connection { Connection(endpoint: sourceEndpoint, region: sourceRegion, profile: sourceProfile) }
    var target: Connection { Connection(endpoint: targetEndpoint, region: targetRegion, profile: targetProfile) }
}
