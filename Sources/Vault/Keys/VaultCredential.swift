package import Cryptography

/// What somebody opens a vault with.
package enum VaultCredential: Sendable {
    case passphrase(Secret)
    /// The content of a key file, at least 32 bytes.
    case keyFile(Secret)
    /// A key that never leaves its service.
    case wrapper(any KeyWrapper)

    static let passphraseKind = "passphrase"
    static let fileKind = "file"
    static let minKeyFile = 32
    static let maxKeyFile = 1 << 20

    /// The kind of slot that it opens.
    package var kind: String {
        switch self {
        case .passphrase: Self.passphraseKind
        case .keyFile: Self.fileKind
        case .wrapper(let wrapper): wrapper.kind
        }
    }

    /// For sentences: "opens with …".
    var phrase: String {
        switch self {
        case .passphrase: "this passphrase"
        case .keyFile: "this key file"
        case .wrapper(let wrapper): "this key of \(wrapper.kind)"
        }
    }

    /// Throws `.invalid` for what no slot should be made of.
    func check() throws(VaultError) {
        switch self {
        case .passphrase(let passphrase):
            guard !passphrase.isEmpty else { throw VaultError(.invalid, "the passphrase is empty") }
        case .keyFile(let content):
            guard (Self.minKeyFile...Self.maxKeyFile).contains(content.count) else {
                throw VaultError(
                    .invalid,
                    "a key file has at least 32 bytes and at most 1 MiB, not \(content.count): make one with "
                        + "`head -c 32 /dev/urandom > FILE`")
            }
        case .wrapper(let wrapper):
            guard ![Self.passphraseKind, Self.fileKind].contains(wrapper.kind),
                (1...64).contains(wrapper.kind.utf8.count)
            else { throw VaultError(.invalid, "\(wrapper.kind) cannot name a kind of key slot") }
        }
    }
}

/// A key that encrypts small secrets and never leaves its place: a cloud's key management service.
package protocol KeyWrapper: Sendable {
    /// Names the service in the key slot: `aws-kms`.
    var kind: String { get }
    /// What is needed to find the key again, kept in the slot in the clear: its name, the region. No secrets.
    var parameters: [String: String] { get }
    /// Encrypts 32 bytes. Throws `.store` when the service fails.
    func wrap(_ secret: Secret) async throws(VaultError) -> [UInt8]
    /// Undoes `wrap`, with the parameters that the slot keeps. Throws `.wrongKey` when the secret is another key's.
    func unwrap(_ wrapped: [UInt8], parameters: [String: String]) async throws(VaultError) -> Secret
}
