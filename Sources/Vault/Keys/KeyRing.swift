package import Cryptography
import Digests

/// The unwrapped keys of a vault: everything sealed is made and opened through it.
///
/// A root key seals new objects; older ones only open. The key of the chunk ids and the one that authenticates the key slots stay the
/// same for the vault's life.
package struct KeyRing: Sendable {
    /// 32 bytes, random, of this vault.
    package let repository: [UInt8]
    /// Keys the hash that names chunks.
    package let chunkIDKey: Secret
    /// Authenticates the key slots.
    let slotsKey: Secret
    /// By version, from 1 without a gap: the last one seals.
    let rootKeys: [Secret]

    /// Root keys at most: a bound for what is read.
    static let maxRootKeys = 256
    static let repositoryLength = 32
    static let keyLength = AES256GCM.keyLength

    package init(repository: [UInt8], chunkIDKey: Secret, slotsKey: Secret, rootKeys: [Secret]) {
        precondition(repository.count == Self.repositoryLength && !rootKeys.isEmpty, "a key ring is not empty")
        self.repository = repository
        self.chunkIDKey = chunkIDKey
        self.slotsKey = slotsKey
        self.rootKeys = rootKeys
    }

    /// The keys of a new vault.
    package static func generate(repository: [UInt8]) -> KeyRing {
        KeyRing(
            repository: repository, chunkIDKey: .random(keyLength), slotsKey: .random(keyLength),
            rootKeys: [.random(keyLength)])
    }

    /// The same with a new root key, which seals from now on.
    package func rotated() -> KeyRing {
        KeyRing(
            repository: repository, chunkIDKey: chunkIDKey, slotsKey: slotsKey,
            rootKeys: rootKeys + [.random(Self.keyLength)])
    }

    /// The version of the root key that seals new objects.
    package var newestVersion: UInt32 { UInt32(rootKeys.count) }

    /// A fresh salt under the newest root key: the first 96 bytes and the cipher of a new object.
    package func newObject(_ type: SealedType, name: String) -> (header: [UInt8], cipher: RecordCipher) {
        let salt = SecureRandom.bytes(ObjectHeader.saltLength)
        let keys = objectKeys(type, name: name, salt: salt, rootKey: rootKeys[rootKeys.count - 1])
        let header = ObjectHeader(
            type: type, keyVersion: newestVersion, repository: repository, salt: salt, commitment: keys.commitment)
        return (header.bytes, RecordCipher(key: keys.key))
    }

    /// The cipher of an object that is there. `header`: its first 96 bytes.
    ///
    /// Throws unless the object is of this vault, of this type and was sealed under this name, before anything is decrypted.
    package func cipher(
        for header: UnsafeRawBufferPointer, _ type: SealedType, name: String
    ) throws(VaultError) -> RecordCipher {
        let header = try ObjectHeader(header, name: name)
        guard header.type == type else {
            throw VaultError(.damaged, object: name, "is another kind of object than its name says")
        }
        guard header.repository == Array(repository.prefix(ObjectHeader.repositoryPrefix)) else {
            throw VaultError(.damaged, object: name, "belongs to another vault")
        }
        guard header.keyVersion >= 1, header.keyVersion <= newestVersion else {
            throw VaultError(
                .wrongKey, object: name,
                "is sealed under root key \(header.keyVersion), and the newest that is known is \(newestVersion): if the keys "
                    + "were rotated just now, run again; else the object was changed")
        }
        let keys = objectKeys(type, name: name, salt: header.salt, rootKey: rootKeys[Int(header.keyVersion) - 1])
        guard ConstantTime.equal(keys.commitment, header.commitment) else {
            throw VaultError(.damaged, object: name, "is not what its name says, or was changed")
        }
        return RecordCipher(key: keys.key)
    }

    private func objectKeys(
        _ type: SealedType, name: String, salt: [UInt8], rootKey: Secret
    ) -> (key: Secret, commitment: [UInt8]) {
        let purpose = Array("lockstep vault object".utf8) + repository + [type.rawValue] + Array(name.utf8)
        let keys = HKDFSHA256.derive(
            Self.keyLength + ObjectHeader.commitmentLength, from: rootKey, salt: salt, info: purpose)
        return keys.withBytes { keys in
            (
                Secret(UnsafeRawBufferPointer(rebasing: keys.prefix(Self.keyLength))),
                Array(keys.suffix(ObjectHeader.commitmentLength))
            )
        }
    }
}
