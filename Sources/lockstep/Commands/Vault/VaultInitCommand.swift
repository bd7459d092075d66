import ArgumentParser
import ChunkPipeline
import Configuration
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Vault

extension CompressionPolicy: ExpressibleByArgument {}

/// `--chunker`: how objects are cut.
struct ChunkerArgument: ExpressibleByArgument, Hashable, CustomStringConvertible {
    let profile: ChunkerProfile
    let description: String

    /// Bytes of a fixed chunk.
    private static let fixedSizes: ClosedRange<Int64> = 4096...8 << 20

    init?(argument: String) {
        description = argument
        switch argument {
        case "tensor": profile = .standard
        case "gear": profile = .gear(.standard)
        case "gear-small": profile = .gear(.small)
        default:
            let fields = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard fields.count == 2, fields[0] == "fixed", let size = ByteQuantity(String(fields[1])),
                Self.fixedSizes.contains(size.bytes), size.bytes & (size.bytes - 1) == 0
            else { return nil }
            profile = .fixed(size: Int(size.bytes))
        }
    }
}

/// `lockstep vault init LOCATION`: an empty vault.
struct VaultInitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes an empty vault in an empty folder of a bucket or directory.",
        discussion: """
            Whoever loses every key of a vault has lost what is in it: keep the passphrase elsewhere too, or add a second key.
            How objects are cut and packed is fixed for the vault's life.

            EXAMPLES
              lockstep vault init s3://backups/models
              lockstep vault init gs://backups/models --password-file ~/.vault --compression zstd
              lockstep vault init /mnt/backup --key-file ~/.vault.key --chunker gear --label laptop
              lockstep vault init s3://backups/models --kms aws-kms:arn:aws:kms:eu-west-1:111122223333:key/1234
              lockstep vault init vault:offsite --config lockstep.yaml
            """)

    @OptionGroup var vault: VaultArguments
    @Option(
        help: ArgumentHelp(
            """
            How objects are cut: tensor (models at the borders of their tensors, everything else by content), gear (by content), \
            gear-small (into chunks of 64 instead of 256 KiB), fixed:SIZE (a power of two from 4K to 8M).
            """, valueName: "tensor|gear|gear-small|fixed:SIZE"))
    var chunker = ChunkerArgument(argument: "tensor")!
    @Option(
        help: "Planes for floating-point numbers and lz4 for what shrinks (auto); lz4; zstd, slower and smaller; none.")
    var compression = CompressionPolicy.auto
    @Option(help: ArgumentHelp("Bytes of a pack, 8M to 256M.", valueName: "bytes"))
    var packSize = ByteQuantity("32M")!
    @Option(help: ArgumentHelp("What the first key is called.", valueName: "text"))
    var label = ""

    private static let packSizes: ClosedRange<Int64> = 8 << 20...256 << 20

    func validate() throws {
        guard Self.packSizes.contains(packSize.bytes) else {
            throw ValidationError("--pack-size is between 8M and 256M")
        }
        try checkLabel(label)
        guard vault.root.atLeast == nil else {
            throw ValidationError("--at-least is about a vault that there is already")
        }
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.make(context) }
    }

    private func make(_ context: CommandContext) async throws -> Int32 {
        let named = try vault.place(context)
        let place = named.location
        let stores = context.stores
        try await refuseNested(named, stores)
        let access = named.connection.vault
        var connection = named.connection
        connection.vault = VaultAccess()
        let opened = try stores.openPlain(place.underlying, connection, for: .writing)
        try await refuseOthers(place, opened)
        let credential = try await context.passphrases.newCredential(
            for: place.description, access, fromEnvironment: true)
        let handle = try await VaultHandle.initialise(
            opened.store, credential, label: label,
            options: Vault.VaultOptions(
                chunker: chunker.profile, compression: compression, packSize: Int(packSize.bytes)),
            local: stores.vaultState(access), time: context.time)
        context.console.data("made vault \(Hex.encode(Array(handle.format.repository.prefix(8)))) at \(place)")
        if handle.format.isSingleWriter {
            context.console.warn(
                "the conditional writes of \(opened.store.name) do not work: the vault takes one writer at a time")
        }
        return ExitStatus.ok.rawValue
    }

    /// A vault in a folder of another one would be taken for garbage by it.
    private func refuseNested(_ place: PairRequest.Place, _ stores: StoreFactory) async throws {
        guard let found = try await stores.findIfThere(place.location, place.connection, for: .reading),
            !found.inner.isEmpty
        else { return }
        throw CommandFailure(
            .configuration, "\(place.location) is inside the vault \(found.location); choose a folder outside of it")
    }

    /// What is no part of a vault would be in its way, or it in the way of that.
    private func refuseOthers(_ place: ObjectLocation, _ opened: OpenStore) async throws {
        let first = try await opened.store.list(ListRequest(limit: Self.looksAt))
        guard let other = first.objects.first(where: { !Self.isPart($0.key) }) else { return }
        throw CommandFailure(
            .configuration, "\(place) holds other objects, \(other.key) for one; a vault needs a folder of its own")
    }

    /// Objects of a folder that are looked at.
    private static let looksAt = 100

    private static func isPart(_ key: ObjectKey) -> Bool {
        let prefixes = [
            VaultName.format, VaultName.keyPrefix, VaultName.rootPrefix, VaultName.packPrefix, VaultName.indexPrefix,
            VaultName.pagePrefix, "probe/",
        ]
        return prefixes.contains { key.hasPrefix(ObjectKey($0)) }
    }
}
