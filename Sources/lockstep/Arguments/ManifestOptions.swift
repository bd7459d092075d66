import ArgumentParser
import Configuration

/// Where the manifest of a pair is published, and who signs it.
struct ManifestOptions: ParsableArguments {
    @Flag(help: "Publish no manifest at the end of the run.")
    var noManifest = false

    @Option(help: ArgumentHelp("Publish the manifest there (at the target).", valueName: "location"))
    var control: String?
    @Option(help: ArgumentHelp("The cloud of the configuration file that it is in.", valueName: "name"))
    var controlCloud: String?
    @Option(help: "The control location's service URL.")
    var controlEndpoint: String?
    @Option(help: "The control location's region (S3).")
    var controlRegion: String?
    @Option(help: "The control location's profile.")
    var controlProfile: String?

    @Option(
        help: ArgumentHelp(
            "Ed25519 key in PEM that signs manifests (signing-key.pem of the state, made on first use).",
            valueName: "file"))
    var signingKey: String?

    @Option(help: ArgumentHelp("Manifests that are kept at least (30).", valueName: "n"))
    var keepManifests = ManifestSettings.standardKept

    @Flag(help: "Continue after whatever manifest is there, although this ledger did not publish it.")
    var adoptManifest = false

    var settings: ManifestSettings {
        ManifestSettings(isEnabled: !noManifest, control: control, signingKey: signingKey, kept: keepManifests)
    }

    var connection: Connection {
        Connection(endpoint: controlEndpoint, region: controlRegion, profile: controlProfile)
    }

    func validate() throws {
        try Setting.refuse(settings.problems)
        if noManifest, adoptManifest { throw ValidationError("--no-manifest excludes --adopt-manifest") }
    }
}
