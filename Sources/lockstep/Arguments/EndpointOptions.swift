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

    /// Nothing is said about the service.
    var isConventional: Bool {
        endpoint == nil && region == nil && profile == nil && identity == nil && encryption == nil
    }
}

/// `--endpoint`, `--region`, `--profile` of the commands with one location, and what opens it if it is in a vault.
struct EndpointOptions: ParsableArguments {
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

    /// The connections of a pair. What is said for both sides counts for those that are in vaults, and there must be one.
    func connections(
        source: ObjectLocation, target: ObjectLocation, state: String?
    ) throws(CommandFailure) -> (source: Connection, target: Connection) {
        if !source.isVault, !target.isVault, let option = VaultAccess(keys).options.first {
            throw CommandFailure(
                .usage, "\(option) opens a vault, and neither side is in one; write vault+s3://bucket/prefix")
        }
        return (
            Connection(
                endpoint: sourceEndpoint, region: sourceRegion, profile: sourceProfile,
                vault: access(of: source, sourcePasswordFile, sourceKeyFile, state)),
            Connection(
                endpoint: targetEndpoint, region: targetRegion, profile: targetProfile,
                vault: access(of: target, targetPasswordFile, targetKeyFile, state))
        )
    }

    private func access(
        of location: ObjectLocation, _ passwordFile: String?, _ keyFile: String?, _ state: String?
    ) -> VaultAccess {
        let ownsKey = passwordFile != nil || keyFile != nil
        var access = ownsKey || !location.isVault ? VaultAccess() : VaultAccess(keys)
        if let passwordFile { access.passwordFile = passwordFile }
        if let keyFile { access.keyFile = keyFile }
        access.state = state
        return access
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
    func apply(
        to connections: inout (source: Connection, target: Connection), source: ObjectLocation, target: ObjectLocation
    ) {
        connections.source.vault.snapshot = self.source.chosen
        connections.target.vault.snapshot = targetSnapshot
        guard targetSnapshot == nil, self.source.sourceSnapshot == nil, !source.isVault, target.isVault else { return }
        connections.target.vault.snapshot = self.source.snapshot
        connections.source.vault.snapshot = nil
    }
}
