import ArgumentParser

/// `lockstep manifest …`: what runs have published, and whether it still is what they published.
struct ManifestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest",
        abstract: "Verifies, shows and compares the manifests that runs publish; works on a copy and offline too.",
        discussion: """
            LOCATION is a replication target, another control location, or a directory with a copy of its .lockstep/manifest folder.

            EXIT CODES
              0 verified · 2 usage · 3 could not finish · 4 not what was published · 75 try again later
              78 no manifest there, or nobody knows its signer
            """,
        subcommands: [
            ManifestVerifyCommand.self, ManifestShowCommand.self, ManifestDiffCommand.self, ManifestKeyCommand.self,
        ])
}
