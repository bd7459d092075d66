package import Cryptography
package import ObjectStores

/// A key of a key management service, which encrypts small secrets and never leaves the service.
///
/// What it encrypts is bound to `KeyServiceContext` where the service can authenticate more than the secret, so that a
/// ciphertext from elsewhere cannot be put in its place.
package protocol KeyService: Sendable {
    /// Names the kind of service: `aws-kms`, `gcp-kms`, `azure-key-vault`, `hashicorp-transit`.
    var kind: String { get }
    /// What people find the key by. No secrets.
    var parameters: [String: String] { get }
    func encrypt(_ secret: Secret) async throws(StoreError) -> [UInt8]
    /// Undoes `encrypt`.
    ///
    /// - Parameter parameters: those that were kept with the ciphertext. They come from where it was stored, so nothing in them
    ///   may choose which server is asked.
    /// - Throws: `.damaged` when this key did not encrypt it; `.forbidden`, `.unauthenticated`, `.throttled` and the like as stores do.
    func decrypt(_ ciphertext: [UInt8], parameters: [String: String]) async throws(StoreError) -> Secret
}

/// What every secret is encrypted for, in the words that the services' own logs then show.
package enum KeyServiceContext {
    package static let name = "lockstep"
    package static let purpose = "vault-key-slot"
}
