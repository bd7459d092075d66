import ArgumentParser
import ReplicationModel

/// Where one location is served and as whom it is asked. What is not given comes from the cloud's conventional variables.
struct Connection: Sendable, Hashable {
    var endpoint: String?
    var region: String?
    var profile: String?
    /// nil: as the environment has it.
    var identity: CloudIdentity?
    /// What the service encrypts new objects with, in its own words; nil leaves it to the bucket.
    var encryption: String?
    var vault = VaultAccess()
    /// nil: the configuration does not name the place.
    var origin: ConfiguredOrigin?

    /// Something is said of where the service is, or which of its variables count.
    var isAddressed: Bool { endpoint != nil || region != nil || profile != nil }

    /// Nothing is said about the service.
    var isConventional: Bool { !isAddressed && identity == nil && encryption == nil }
}

/// `--endpoint`, `--region`, `--profile`, or `--cloud` of the commands with one location, and what opens it if it is in a vault.
struct EndpointOptions: ParsableArguments {
    @OptionGroup var file: ConfigurationOptions

    @Option(help: ArgumentHelp("The cloud of the configuration file that serves it.", valueName: "name"))
    var cloud: String?

    @Option(help: "The service's URL, e.g. http://127.0.0.1:9000; else AWS_ENDPOINT_URL_S3, STORAGE_EMULATOR_HOST, …")
    var endpoint: String?

    @Option(help: "The region to sign for (S3).")
    var region: String?

    @Option(help: "The profile of the AWS shared files; for Azure the suffix of the AZURE_STORAGE_… variables.")
    var profile: String?

    @OptionGroup var keys: VaultKeyOptions

    var connection: Connection {
        Connection(
            endpoint: endpoint, region: region, profile: profile,
            vault: VaultAccess(passwordFile: keys.passwordFile, keyFile: keys.keyFile, kms: keys.kms))
    }

    /// The connection to read by, from the state that was asked for.
    func connection(_ snapshot: SnapshotOptions) -> Connection {
        var connection = connection(snapshot.root)
        connection.vault.snapshot = snapshot.snapshot
        return connection
    }

    func connection(_ root: RootOptions) -> Connection {
        var connection = connection
        connection.vault.atLeast = root.atLeast
        connection.vault.state = root.state
        return connection
    }

    /// The place that a command names.
    func place(
        _ text: String, _ context: CommandContext, as kind: ObjectLocation.Kind = .folder,
        by connection: Connection? = nil
    ) throws -> PairRequest.Place {
        try NamedPlaces(file, clouds: [cloud], texts: [text], context)
            .place(text, as: kind, connection ?? self.connection, cloud: cloud)
    }
}

/// `--source-…` and `--target-…` of the commands with two.
struct PairEndpointOptions: ParsableArguments {
    @OptionGroup var file: ConfigurationOptions

    @Option(help: ArgumentHelp("The cloud of the configuration file that the source is in.", valueName: "name"))
    var sourceCloud: String?
    @Option(help: "The source service's URL, e.g. http://127.0.0.1:9000.")
    var sourceEndpoint: String?
    @Option(help: "The source's region (S3).")
    var sourceRegion: String?
    @Option(help: "The source's profile.")
    var sourceProfile: String?
    @Option(help: ArgumentHelp("The cloud of the configuration file that the target is in.", valueName: "name"))
    var targetCloud: String?
    @Option(help: "The target service's URL.")
    var targetEndpoint: String?
    @Option(help: "The target's region (S3).")
    var targetRegion: String?
    @Option(help: "The target's profile.")
    var targetProfile: String?

    @OptionGroup var keys: VaultKeyOptions

    @Option(help: ArgumentHelp("The passphrase of the source's vault only.", valueName: "file"))
    var sourcePasswordFile: String?
    @Option(help: ArgumentHelp("The key file of the source's vault only.", valueName: "file"))
    var sourceKeyFile: String?
    @Option(help: ArgumentHelp("The passphrase of the target's vault only.", valueName: "file"))
    var targetPasswordFile: String?
    @Option(help: ArgumentHelp("The key file of the target's vault only.", valueName: "file"))
    var targetKeyFile: String?

    func validate() throws {
        for (side, password, key) in [
            ("source", sourcePasswordFile, sourceKeyFile), ("target", targetPasswordFile, targetKeyFile),
        ] where password != nil && key != nil {
            throw ValidationError("--\(side)-password-file and --\(side)-key-file exclude each other")
        }
    }

    /// The places of a pair. What is said for both sides counts for those in vaults that the configuration file does not open, and there
    /// must be one.
    /// - Parameter state: what `--state` says.
    func places(
        source: String, target: String, in named: NamedPlaces, state: String?
    ) throws(CommandFailure) -> (source: PairRequest.Place, target: PairRequest.Place) {
        let places = (
            source: try named.place(
                source,
                Connection(
                    endpoint: sourceEndpoint, region: sourceRegion, profile: sourceProfile,
                    vault: access(sourcePasswordFile, sourceKeyFile, state)),
                cloud: sourceCloud, side: "source-"),
            target: try named.place(
                target,
                Connection(
                    endpoint: targetEndpoint, region: targetRegion, profile: targetProfile,
                    vault: access(targetPasswordFile, targetKeyFile, state)),
                cloud: targetCloud, side: "target-")
        )
        if !places.source.location.isVault, !places.target.location.isVault,
            let option = VaultAccess(keys).options.first
        {
            throw CommandFailure(
                .usage, "\(option) opens a vault, and neither side is in one; write vault+s3://bucket/prefix")
        }
        return (opened(places.source), opened(places.target))
    }

    private func access(_ passwordFile: String?, _ keyFile: String?, _ state: String?) -> VaultAccess {
        VaultAccess(passwordFile: passwordFile, keyFile: keyFile, state: state)
    }

    /// With what is said for both sides.
    private func opened(_ place: PairRequest.Place) -> PairRequest.Place {
        guard place.location.isVault, !place.connection.vault.namesKey else { return place }
        var place = place
        place.connection.vault.passwordFile = keys.passwordFile
        place.connection.vault.keyFile = keys.keyFile
        place.connection.vault.kms = keys.kms
        return place
    }
}

extension VaultAccess {
    fileprivate init(_ keys: VaultKeyOptions) {
        self.init(passwordFile: keys.passwordFile, keyFile: keys.keyFile, kms: keys.kms)
    }
}

/// What is asked of the target's cloud for each object that is written.
struct TargetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Encrypt new objects with: AES256, aws:kms[:KEY] or aws:kms:dsse[:KEY] (S3), a Cloud KMS key's name, an Azure encryption scope.",
            valueName: "key"))
    var targetEncryption: String?
}

/// Which snapshot of a vault stands for the source.
struct SourceSnapshotOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Of a source in a vault: the snapshot of that number, latest, or the newest one of that time or before.",
            valueName: "id|latest|time"))
    var snapshot: SnapshotArgument?

    @Option(help: ArgumentHelp("The same as --snapshot.", valueName: "id|latest|time"))
    var sourceSnapshot: SnapshotArgument?

    func validate() throws {
        if snapshot != nil, sourceSnapshot != nil {
            throw ValidationError("--snapshot and --source-snapshot are the same: use one of them")
        }
    }

    var chosen: SnapshotArgument? { snapshot ?? sourceSnapshot }
}

/// Which snapshots of vaults a check compares.
struct CheckSnapshotOptions: ParsableArguments {
    @OptionGroup var source: SourceSnapshotOptions

    @Option(help: ArgumentHelp("The same of a target in a vault.", valueName: "id|latest|time"))
    var targetSnapshot: SnapshotArgument?

    /// `--snapshot` is about the source, or about the target when that alone is in a vault.
    func apply(to places: inout (source: PairRequest.Place, target: PairRequest.Place)) {
        places.source.connection.vault.snapshot = self.source.chosen
        places.target.connection.vault.snapshot = targetSnapshot
        guard targetSnapshot == nil, self.source.sourceSnapshot == nil, !places.source.location.isVault,
            places.target.location.isVault
        else { return }
        places.target.connection.vault.snapshot = self.source.snapshot
        places.source.connection.vault.snapshot = nil
    }
}
