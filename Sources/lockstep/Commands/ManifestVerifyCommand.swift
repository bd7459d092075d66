import ArgumentParser
import Cryptography
import Foundation
import Manifests
import ReplicationModel
import SQLiteManifests

/// `lockstep manifest verify LOCATION`: whether every bit is what was published, by whom it should have been.
struct ManifestVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verifies all heads and every page of one: signatures, chain, digests, order, counts.",
        discussion: """
            Trusted are the keys of --public-key, else signing-key.pub of the state directory. The newest head is remembered there, and an
            older one is refused from then on.

            EXAMPLES
              lockstep manifest verify gs://models-replica
              lockstep manifest verify ./copy --public-key replica.pub
            """)

    @Argument(help: "Where the manifest is: s3://, gs://, az://, file:// or a directory.")
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A key that may have signed (PEM). May be repeated.", valueName: "file"))
    var publicKey: [String] = []
    @Option(help: ArgumentHelp("Verify the pages of this head instead of the newest.", valueName: "n"))
    var sequence: Int64?
    @Option(help: ArgumentHelp("Directory of keys and of what was seen ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.verify(context) }
    }

    private func verify(_ context: CommandContext) async throws -> Int32 {
        let place = try endpoint.place(location, context)
        let state = context.statePath(state ?? place.connection.vault.state)
        let trusted = try trustedKeys(context, in: state)
        let found = try await context.manifest(at: place)
        let anchor = AnchorFile(path: context.anchorPath(found, in: state))
        let verifier = ManifestVerifier(found.folder, trusted: trusted, anchor: try anchor.load())
        let verified = try await verifier.verify(sequence: sequence)
        let head = verified.head
        context.console.data("\(head.title): \(head.counts)")
        context.console.data(
            "\(verified.heads == 1 ? "1 head" : "\(Format.count(verified.heads)) heads") and "
                + "\(head.pages.count == 1 ? "1 page" : "\(Format.count(head.pages.count)) pages") hold together; "
                + "created \(Format.time(head.createdAt * 1_000_000_000)), signed by \(head.publicKey.id)")
        guard verified.isTrusted else {
            throw CommandFailure(
                .configuration,
                "nobody here knows the signer, key \(head.publicKey.id). Name its public key with --public-key FILE; "
                    + "`lockstep manifest key` prints it on the machine that publishes")
        }
        do {
            _ = try StateDirectory(path: state)
        } catch {
            throw CommandFailure(ExitStatus(error.code), error.description)
        }
        try anchor.save(verified.newest)
        return ExitStatus.ok.rawValue
    }

    private func trustedKeys(_ context: CommandContext, in state: String) throws -> [Ed25519PublicKey] {
        guard publicKey.isEmpty else {
            return try publicKey.map { path in
                guard let key = try SigningKeyFile.loadPublic(path) else {
                    throw CommandFailure(.usage, "there is no file \(path)")
                }
                return key
            }
        }
        return try SigningKeyFile.loadPublic(state + "/" + SigningKeyFile.publicName).map { [$0] } ?? []
    }
}
