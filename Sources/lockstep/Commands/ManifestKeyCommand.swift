import ArgumentParser
import Cryptography
import Foundation
import Manifests
import SQLiteManifests

/// `lockstep manifest key`: the public half of the key that signs.
struct ManifestKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Prints the public key that manifests are verified with, and makes the signing key if there is none.",
        discussion: """
            EXAMPLES
              lockstep manifest key > replica.pub
            """)

    @Option(help: ArgumentHelp("Directory of the key ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?
    @Option(help: ArgumentHelp("The signing key (PEM), when it is not in the state directory.", valueName: "file"))
    var signingKey: String?

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run { try command.show(context) }
    }

    private func show(_ context: CommandContext) throws -> Int32 {
        let file = try context.signingKey(signingKey, state: state)
        let publicKey = file.key.publicKey
        context.console.data(String(try publicKey.pem().dropLast()))
        context.console.say("key id \(publicKey.id)")
        return ExitStatus.ok.rawValue
    }
}

extension CommandContext {
    /// The key that signs manifests: the file named, which must be there, or that of the state directory, which is made on first use.
    func signingKey(_ path: String?, state: String?) throws -> SigningKeyFile {
        let file: SigningKeyFile
        if let path {
            guard let found = try SigningKeyFile.load(path) else {
                throw CommandFailure(
                    .usage, "there is no signing key \(path); `openssl genpkey -algorithm ed25519` makes one")
            }
            file = found
        } else {
            do {
                let directory = try StateDirectory(path: statePath(state))
                file = try SigningKeyFile.loadOrCreate(directory.path + "/" + SigningKeyFile.name)
            } catch let error as LedgerError {
                throw CommandFailure(ExitStatus(error.code), error.description)
            }
        }
        if let warning = file.warning { console.warn(warning) }
        return file
    }
}
