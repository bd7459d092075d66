import Cryptography
import Foundation
import HTTPStores
import Vault

/// Finds what opens a vault: a file that an option or a variable names, else the passphrase that somebody types. Each vault asks once
/// in a process.
actor Passphrases {
    private let environment: [String: String]
    private let console: Console
    private let terminal: PassphraseTerminal
    private let keyServices: KeyServices
    private var typed: [String: Secret] = [:]
    private var warned: Set<String> = []

    init(
        environment: [String: String], console: Console, interruption: Interruption, keyServices: KeyServices
    ) {
        self.environment = environment
        self.console = console
        self.keyServices = keyServices
        terminal = PassphraseTerminal(interruption: interruption)
    }

    /// - Parameter vault: its location, for the question.
    func credential(for vault: String, _ access: VaultAccess) async throws(CommandFailure) -> VaultCredential {
        if let named = try named(access, fromEnvironment: true) { return named }
        if let known = typed[vault] { return .passphrase(known) }
        let passphrase = try await terminal.ask("Passphrase of \(vault): ", wayOut: Self.wayOut)
        typed[vault] = passphrase
        return .passphrase(passphrase)
    }

    /// What is named by an option, by the configuration or by a variable; nobody is asked.
    func namedCredential(_ access: VaultAccess) throws(CommandFailure) -> VaultCredential? {
        try named(access, fromEnvironment: true)
    }

    /// One that shall open the vault from now on; a typed one is asked for twice.
    func newCredential(
        for vault: String, _ access: VaultAccess, fromEnvironment: Bool
    ) async throws(CommandFailure) -> VaultCredential {
        if let named = try named(access, fromEnvironment: fromEnvironment) { return named }
        let wayOut =
            fromEnvironment
            ? Self.wayOut : "name a file with --new-password-file or --new-key-file, or a key with --new-kms"
        let first = try await terminal.ask("New passphrase of \(vault): ", wayOut: wayOut)
        let second = try await terminal.ask("Once more: ", wayOut: wayOut)
        guard first == second else {
            throw CommandFailure(.configuration, "the two passphrases differ; nothing was changed")
        }
        if fromEnvironment { typed[vault] = first }
        return .passphrase(first)
    }

    private static let wayOut =
        "name a file with --password-file or --key-file, a key of a key service with --kms, or either in LOCKSTEP_VAULT_PASSWORD_FILE, "
        + "LOCKSTEP_VAULT_KEY_FILE or LOCKSTEP_VAULT_KMS"

    /// What an option names, else a variable.
    private func named(_ access: VaultAccess, fromEnvironment: Bool) throws(CommandFailure) -> VaultCredential? {
        if let path = access.keyFile { return .keyFile(try keyFile(path)) }
        if let path = access.passwordFile { return .passphrase(try passphrase(in: path)) }
        if let address = access.kms { return .wrapper(try keyServices.wrapper(address, as: access.kmsIdentity)) }
        guard fromEnvironment else { return nil }
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let path = variable("LOCKSTEP_VAULT_KEY_FILE") { return .keyFile(try keyFile(path)) }
        if let path = variable("LOCKSTEP_VAULT_PASSWORD_FILE") { return .passphrase(try passphrase(in: path)) }
        guard let text = variable("LOCKSTEP_VAULT_KMS") else { return nil }
        guard let address = KeyServiceAddress(argument: text) else {
            throw CommandFailure(.configuration, "LOCKSTEP_VAULT_KMS: \(KeyServiceAddress.usage)")
        }
        return .wrapper(try keyServices.wrapper(address))
    }

    private func passphrase(in path: String) throws(CommandFailure) -> Secret {
        try open(VaultKeyFile(path: path, kind: .password))
    }

    private func keyFile(_ path: String) throws(CommandFailure) -> Secret {
        try open(VaultKeyFile(path: path, kind: .key))
    }

    private func open(_ file: VaultKeyFile) throws(CommandFailure) -> Secret {
        if file.isOpenToOthers, warned.insert(file.path).inserted {
            console.warn("other users can read the \(file.kind.rawValue) \(file.path); chmod 600 keeps it to you")
        }
        do throws(SettingError) { return try file.secret() } catch {
            throw CommandFailure(.configuration, error.message)
        }
    }
}
