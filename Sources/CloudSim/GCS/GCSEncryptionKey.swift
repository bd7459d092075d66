/// Keys of Cloud KMS that objects are said to be encrypted with. Their names are kept and reported; the bytes stay as they are.
enum GCSEncryptionKey {
    /// In `ObjectAttributes.extras`: the version of the key, as the service reports it.
    static let extra = "kmsKeyName"

    private static let collections = ["projects", "locations", "keyRings", "cryptoKeys"]

    /// The version that a key encrypts with. Throws for what names no key.
    static func version(of key: String) throws -> String {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 8, !parts.contains(""),
            collections.indices.allSatisfy({ parts[2 * $0] == collections[$0] })
        else { throw GCSError.invalid("Malformed Cloud KMS crypto key: \(key)") }
        return "\(key)/cryptoKeyVersions/1"
    }
}

extension ObjectAttributes {
    /// - Parameter key: as the client names it; nil leaves the object to the service's own keys.
    mutating func encrypt(with key: String?) throws {
        if let key, !key.isEmpty { extras[GCSEncryptionKey.extra] = try GCSEncryptionKey.version(of: key) }
    }
}
