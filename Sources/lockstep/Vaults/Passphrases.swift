import Cryptography
import Foundation
import Vault

/// Finds what opens a vault: a file that an option or a variable names, else the passphrase that somebody types. Each vault asks once
/// in a process.
actor Passphrases {
    /// Longest passphrase and largest key file, bytes.
    static let maxLength = 1 << 20

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

    /// The first line, without its end.
    private func passphrase(in path: String) throws(CommandFailure) -> Secret {
        var bytes = try contents(of: path, as: "password file")
        defer { bytes.wipe() }
        var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        guard !line.isEmpty else {
            throw CommandFailure(.configuration, "the password file \(path) begins with an empty line")
        }
        return Secret(line)
    }

    private func keyFile(_ path: String) throws(CommandFailure) -> Secret {
        var bytes = try contents(of: path, as: "key file")
        defer { bytes.wipe() }
        guard bytes.count >= 32 else {
            throw CommandFailure(
                .configuration,
                "the key file \(path) has \(bytes.count) bytes and must have at least 32; `openssl rand -out FILE 64` makes one"
            )
        }
        return Secret(bytes)
    }

    private func contents(of path: String, as kind: String) throws(CommandFailure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw CommandFailure(
                .configuration, "the \(kind) \(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var status = stat()
        if fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0,
            warned.insert(path).inserted
        {
            console.warn("other users can read the \(kind) \(path); chmod 600 keeps it to you")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= Self.maxLength {
            let count = read(file, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandFailure(
                    .configuration, "the \(kind) \(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            guard count > 0 else { return bytes }
            bytes += piece[..<count]
        }
        throw CommandFailure(.configuration, "the \(kind) \(path) is larger than 1 MiB")
    }
}

extension [UInt8] {
    /// Overwrites the bytes, also where nobody looks at them again.
    mutating func wipe() {
        withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
        }
    }
}
