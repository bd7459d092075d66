import Cryptography
import Digests

/// One way to open a vault, as `key/<n>` keeps it.
///
/// The credential gives an X25519 key; the ring is sealed to its public half. `binding` is a code under the private half, made when the
/// slot was added: it says that this vault's own keys were sealed here, which nobody could write who knows the public half only.
package struct KeySlot: Sendable, Hashable, Codable {
    /// 8 hexadecimal digits.
    package let id: String
    /// `passphrase`, `file`, or the kind of a wrapper.
    package let kind: String
    /// For people.
    package let label: String
    /// Seconds since 1970 by the writer's clock.
    package let created: Int64
    /// Of a passphrase.
    let scrypt: Scrypt.Parameters?
    /// Of a passphrase, hex.
    let salt: String?
    /// What a wrapper made of the private key, hex.
    let wrapped: String?
    let parameters: [String: String]?
    let publicKey: String
    let binding: String
    private(set) var ephemeralKey: String
    private(set) var ring: String

    /// Bytes of a label, at most.
    package static let maxLabel = 256
    static let saltLength = 32
    static let maxParameters = 16 << 10
    static let maxWrapped = 16 << 10

    /// A new slot with the ring sealed to it.
    init(
        _ credential: VaultCredential, label: String, created: Int64, keys: KeyRing, scrypt: Scrypt.Parameters
    ) async throws(VaultError) {
        try credential.check()
        guard label.utf8.count <= Self.maxLabel else {
            throw VaultError(.invalid, "a label has at most \(Self.maxLabel) bytes")
        }
        id = Hex.encode(SecureRandom.bytes(4))
        kind = credential.kind
        self.label = label
        self.created = created
        let secret: Secret
        switch credential {
        case .passphrase(let passphrase):
            let salt = SecureRandom.bytes(Self.saltLength)
            (self.scrypt, self.salt, wrapped, parameters) = (scrypt, Hex.encode(salt), nil, nil)
            secret = try await Self.secret(passphrase, salt, scrypt)
        case .keyFile(let content):
            (self.scrypt, salt, wrapped, parameters) = (nil, nil, nil, nil)
            secret = Self.secret(content, keys.repository)
        case .wrapper(let wrapper):
            secret = .random(X25519PublicKey.length)
            let wrapped = try await wrapper.wrap(secret)
            let parameters = wrapper.parameters
            let size = parameters.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            guard wrapped.count <= Self.maxWrapped, size <= Self.maxParameters else {
                throw VaultError(.invalid, "what \(wrapper.kind) gave is too large for a key slot")
            }
            (self.scrypt, salt, self.wrapped, self.parameters) = (nil, nil, Hex.encode(wrapped), parameters)
        }
        do throws(CryptographyError) {
            let privateKey = try X25519PrivateKey(raw: secret)
            publicKey = Hex.encode(privateKey.publicKey.raw)
            binding = Self.binding(secret, keys)
            let sealed = try keys.sealed(to: privateKey.publicKey, slot: id)
            (ephemeralKey, ring) = (Hex.encode(sealed.ephemeralKey), Hex.encode(sealed.ring))
        } catch {
            throw VaultError(.invalid, "no key slot can be made: \(error)")
        }
    }

    /// The same slot with another ring of the same vault.
    func resealed(_ keys: KeyRing, name: String) throws(VaultError) -> KeySlot {
        guard let raw = Hex.decode(publicKey) else { throw damaged(name) }
        var slot = self
        do throws(CryptographyError) {
            let sealed = try keys.sealed(to: X25519PublicKey(raw: raw), slot: id)
            (slot.ephemeralKey, slot.ring) = (Hex.encode(sealed.ephemeralKey), Hex.encode(sealed.ring))
        } catch {
            throw damaged(name)
        }
        return slot
    }

    /// The ring, or nil when the credential is not this slot's. `name`: the object that holds the slot.
    func open(
        _ credential: VaultCredential, repository: [UInt8], name: String
    ) async throws(VaultError) -> KeyRing? {
        guard credential.kind == kind, let secret = try await secret(credential, repository, name: name),
            let privateKey = try? X25519PrivateKey(raw: secret), Hex.encode(privateKey.publicKey.raw) == publicKey
        else { return nil }
        guard let ring = Hex.decode(ring), let ephemeralKey = Hex.decode(ephemeralKey),
            let keys = KeyRing.open(
                ring, ephemeralKey: ephemeralKey, with: privateKey, repository: repository, slot: id),
            ConstantTime.equal(Self.binding(secret, keys).utf8, binding.utf8)
        else { throw damaged(name) }
        return keys
    }

    private func damaged(_ name: String) -> VaultError {
        VaultError(.damaged, object: name, "key slot \(id) does not hold the keys of this vault: it was changed")
    }

    /// What the credential makes of this slot's facts: the private key, if it is the right one.
    private func secret(
        _ credential: VaultCredential, _ repository: [UInt8], name: String
    ) async throws(VaultError) -> Secret? {
        switch credential {
        case .passphrase(let passphrase):
            guard let scrypt, let salt = salt.flatMap({ Hex.decode($0) }), (16...64).contains(salt.count) else {
                throw damaged(name)
            }
            return try await Self.secret(passphrase, salt, scrypt)
        case .keyFile(let content): return Self.secret(content, repository)
        case .wrapper(let wrapper):
            guard let wrapped = wrapped.flatMap({ Hex.decode($0) }), let parameters else { throw damaged(name) }
            do throws(VaultError) {
                return try await wrapper.unwrap(wrapped, parameters: parameters)
            } catch {
                guard error.code == .wrongKey else { throw error }
                return nil
            }
        }
    }

    @concurrent
    private static func secret(
        _ passphrase: Secret, _ salt: [UInt8], _ parameters: Scrypt.Parameters
    ) async throws(VaultError) -> Secret {
        do throws(CryptographyError) {
            return try Scrypt.derive(password: passphrase, salt: salt, parameters)
        } catch {
            throw VaultError(error.code == .unsupportedParameters ? .newerFormat : .local, error.message)
        }
    }

    private static func secret(_ keyFile: Secret, _ repository: [UInt8]) -> Secret {
        HKDFSHA256.derive(
            X25519PublicKey.length, from: keyFile, salt: repository, info: "lockstep vault key file".utf8)
    }

    /// The slots key stays the same for the vault's life, so the binding outlives rotations.
    private static func binding(_ secret: Secret, _ keys: KeyRing) -> String {
        let key = HKDFSHA256.derive(32, from: secret, salt: keys.repository, info: "lockstep vault slot binding".utf8)
        return Hex.encode(keys.slotsKey.withBytes { HMACSHA256.authenticate(key: key, message: $0) })
    }
}
