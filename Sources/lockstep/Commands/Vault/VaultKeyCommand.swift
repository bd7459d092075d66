import ArgumentParser
import ReplicationModel
import Vault

/// `lockstep vault key …`: what opens a vault.
struct VaultKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Lists, adds, removes and renews the keys of a vault; any one of them opens it.",
        discussion: """
            EXAMPLES
              lockstep vault key add gs://backups/models --new-key-file /etc/lockstep/vault.key --label cluster
              lockstep vault key add gs://backups/models --new-kms gcp-kms:projects/p/locations/eu/keyRings/r/cryptoKeys/k
              lockstep vault key list gs://backups/models
              lockstep vault key remove gs://backups/models 1f2e3d4c
              lockstep vault key rotate gs://backups/models
            """,
        subcommands: [
            VaultKeyListCommand.self, VaultKeyAddCommand.self, VaultKeyRemoveCommand.self, VaultKeyRotateCommand.self,
        ])
}

struct VaultKeyListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists what opens a vault: id, kind, when it was added, label.")

    @OptionGroup var vault: VaultArguments
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.list(context) }
    }

    private func list(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .reading)
        var table = TextTable(["id", "kind", "added", "label"], right: [])
        for slot in try await handle.slots.list(handle.keys) {
            if json { context.console.data(VaultEvent(slot)) }
            table.add([slot.id, slot.kind, Format.time(slot.created * 1_000_000_000), "\(ObjectKey(slot.label))"])
        }
        if !json { for line in table.lines { context.console.data(line) } }
        return ExitStatus.ok.rawValue
    }
}

struct VaultKeyAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Adds a passphrase, key file or key of a key service that opens the vault from now on.",
        discussion: """
            The vault is opened by a key that it has (--password-file, --key-file, --kms); the new one is in --new-password-file or --new-key-file,
            or is named by --new-kms; else a passphrase is asked for on the terminal.
            """)

    @OptionGroup var vault: VaultArguments
    @Option(help: ArgumentHelp("The new passphrase: the file's first line.", valueName: "file"))
    var newPasswordFile: String?
    @Option(help: ArgumentHelp("The new key file, at least 32 bytes.", valueName: "file"))
    var newKeyFile: String?
    @Option(help: ArgumentHelp("A key of a key service, as --kms names it.", valueName: "kind:key"))
    var newKms: KeyServiceAddress?
    @Option(help: ArgumentHelp("What the new key is called.", valueName: "text"))
    var label = ""

    func validate() throws {
        if [newPasswordFile != nil, newKeyFile != nil, newKms != nil].count(where: { $0 }) > 1 {
            throw ValidationError(
                "--new-password-file, --new-key-file and --new-kms exclude each other: add one key after the other")
        }
        try checkLabel(label)
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.add(context) }
    }

    private func add(_ context: CommandContext) async throws -> Int32 {
        let place = try vault.place(context)
        let (found, handle) = try await context.stores.unlock(place.location, place.connection, for: .writing)
        let credential = try await context.passphrases.newCredential(
            for: found.location.description,
            VaultAccess(
                passwordFile: newPasswordFile, keyFile: newKeyFile, kms: newKms,
                kmsIdentity: place.connection.vault.kmsIdentity), fromEnvironment: false)
        let slot = try await handle.slots.add(credential, label: label, keys: handle.keys)
        context.console.data("added key \(slot.id)")
        return ExitStatus.ok.rawValue
    }
}

struct VaultKeyRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a key; the last one stays.",
        discussion: """
            Who has opened the vault with it may have kept what it opens: lockstep vault key rotate seals with a new root key from then on.
            """)

    @OptionGroup var vault: VaultArguments
    @Argument(help: "Its id, as vault key list shows it.")
    var id: String

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.remove(context) }
    }

    private func remove(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .writing)
        try await handle.slots.remove(id, keys: handle.keys)
        context.console.data("removed key \(ObjectKey(id))")
        return ExitStatus.ok.rawValue
    }
}

struct VaultKeyRotateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Seals what is written from now on with a new root key.",
        discussion: """
            All keys that open the vault go on opening it, and what is there stays as it is: nothing is sealed again. Runs that are under
            way go on with the root key that they began with.
            """)

    @OptionGroup var vault: VaultArguments

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: vault.location) { try await command.rotate(context) }
    }

    private func rotate(_ context: CommandContext) async throws -> Int32 {
        let handle = try await vault.unlock(context, for: .writing)
        _ = try await handle.slots.rotate(handle.keys)
        context.console.data("a new root key seals what is written from now on")
        return ExitStatus.ok.rawValue
    }
}

/// Of a key, for people.
func checkLabel(_ label: String) throws(ValidationError) {
    guard label.utf8.count <= KeySlot.maxLabel else {
        throw ValidationError("--label has at most \(KeySlot.maxLabel) bytes")
    }
}

extension VaultEvent {
    fileprivate init(_ slot: KeySlot) {
        self.init("key")
        self.slot = slot.id
        kind = slot.kind
        label = slot.label
        created = Format.time(slot.created * 1_000_000_000)
    }
}
