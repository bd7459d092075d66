import ArgumentParser
import ReplicationModel
import Vault

/// `lockstep vault …`: makes vaults and looks after them. What is in them is moved and shown by the commands for every location.
struct VaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vault",
        abstract:
            "Makes and looks after vaults: deduplicated, compressed, encrypted copies with snapshots, in any cloud.",
        discussion: """
            A vault lies in a folder of a bucket or directory. sync, check, ls, cat and stat work on what is inside when the location begins
            with vault+, and each sync into it leaves a snapshot.

            EXAMPLES
              lockstep vault init gs://backups/models --password-file ~/.vault
              lockstep sync s3://models vault+gs://backups/models --password-file ~/.vault
              lockstep vault snapshots gs://backups/models --password-file ~/.vault
              lockstep sync vault+gs://backups/models az://account/models --snapshot latest --password-file ~/.vault

            EXIT CODES
              0 done · 2 usage, no such snapshot or key · 3 could not finish · 4 a check found damage · 6 an older state was put back
              75 try again later · 78 no vault there, wrong key, configuration
            """,
        subcommands: [
            VaultInitCommand.self, VaultSnapshotsCommand.self, VaultDiffCommand.self, VaultPruneCommand.self,
            VaultForgetCommand.self, VaultCollectCommand.self, VaultCheckCommand.self, VaultKeyCommand.self,
            VaultExportRootCommand.self, VaultSpeedCommand.self,
        ])
}

/// The vault that a command is about.
struct VaultArguments: ParsableArguments {
    @Argument(
        help:
            "Where the vault is: s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path, with or without vault+; vault:NAME for one of the configuration file."
    )
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup var root: RootOptions

    func place(_ context: CommandContext) throws -> PairRequest.Place {
        var place = try endpoint.place(location, context, by: endpoint.connection(root))
        place.location.isVault = true
        return place
    }

    /// Opens the vault with its key.
    func unlock(_ context: CommandContext, for use: StoreFactory.Use) async throws -> VaultHandle {
        let place = try place(context)
        return try await context.stores.unlock(place.location, place.connection, for: use).handle
    }
}
