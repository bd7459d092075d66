package import Cryptography

/// The key that signs manifests: a PEM file that its owner alone may read, with the public half beside it.
package struct SigningKeyFile: Sendable {
    package static let name = "signing-key.pem"
    package static let publicName = "signing-key.pub"

    package let key: Ed25519PrivateKey
    /// What is wrong with the file without keeping it from being used; nil when all is well.
    package let warning: String?

    /// Reads the key; makes it, with its public half beside it, where there is none. Two processes at once get the same key.
    package static func loadOrCreate(_ path: String) throws -> SigningKeyFile {
        if try load(path) == nil { _ = try StateFile(path: path).create(try Ed25519PrivateKey.generate().pem()) }
        guard let found = try load(path) else {
            throw ManifestError(.badState, "\(path) came and went: is another program cleaning up there?")
        }
        let publicFile = StateFile(path: publicPath(beside: path))
        if try publicFile.read() == nil { try publicFile.write(try found.key.publicKey.pem(), mode: 0o644) }
        return found
    }

    /// nil when there is no such file.
    package static func load(_ path: String) throws -> SigningKeyFile? {
        let file = StateFile(path: path)
        guard let pem = try file.read() else { return nil }
        let key: Ed25519PrivateKey
        do {
            key = try Ed25519PrivateKey(pem: pem)
        } catch let error as CryptographyError {
            throw ManifestError(
                .badState,
                "\(path) is no Ed25519 signing key: \(error.message). `openssl genpkey -algorithm ed25519` makes one")
        }
        let mode = try file.mode()
        let warning =
            mode & 0o077 == 0
            ? nil
            : "\(path) is open to others (mode \(String(mode, radix: 8))): whoever can read it can sign; chmod 600"
        return SigningKeyFile(key: key, warning: warning)
    }

    /// Reads a public key; nil when there is no such file.
    package static func loadPublic(_ path: String) throws -> Ed25519PublicKey? {
        guard let pem = try StateFile(path: path).read() else { return nil }
        do {
            return try Ed25519PublicKey(pem: pem)
        } catch let error as CryptographyError {
            throw ManifestError(.badState, "\(path) is no Ed25519 public key: \(error.message)")
        }
    }

    /// `signing-key.pem` → `signing-key.pub`.
    package static func publicPath(beside path: String) -> String {
        (path.hasSuffix(".pem") ? String(path.dropLast(4)) : path) + ".pub"
    }
}
