import Cryptography
import Digests

/// How the ring itself is kept: sealed to the public key of each slot, so that who changes the ring need not know any passphrase but
/// their own.
extension KeyRing {
    private static let magic = Array("LSRING01".utf8)

    /// Magic, repository id, chunk id key, slots key, number of root keys (u32, little-endian), root keys.
    private var encoded: Secret {
        let keys = [chunkIDKey, slotsKey] + rootKeys
        let fixed = Self.magic.count + repository.count + 4
        return Secret(count: fixed + keys.count * Self.keyLength) { output in
            output.copyBytes(from: Self.magic + repository)
            var place = Self.magic.count + repository.count
            for (index, key) in keys.enumerated() {
                if index == 2 {
                    output.storeBytes(of: newestVersion.littleEndian, toByteOffset: place, as: UInt32.self)
                    place += 4
                }
                key.withBytes { UnsafeMutableRawBufferPointer(rebasing: output[place...]).copyMemory(from: $0) }
                place += Self.keyLength
            }
        }
    }

    /// nil when the bytes are no ring of this repository.
    private init?(_ bytes: UnsafeRawBufferPointer, repository: [UInt8]) {
        let keys = Self.magic.count + repository.count
        let first = keys + 2 * Self.keyLength + 4
        guard bytes.count >= first, bytes.starts(with: Self.magic + repository) else { return nil }
        let count = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: first - 4, as: UInt32.self)))
        guard (1...Self.maxRootKeys).contains(count), bytes.count == first + count * Self.keyLength else { return nil }
        func key(_ place: Int) -> Secret {
            Secret(UnsafeRawBufferPointer(rebasing: bytes[place..<place + Self.keyLength]))
        }
        self.init(
            repository: repository, chunkIDKey: key(keys), slotsKey: key(keys + Self.keyLength),
            rootKeys: (0..<count).map { key(first + $0 * Self.keyLength) })
    }

    /// Encrypts the ring to a slot: a fresh X25519 key agrees on the AES key, which is used this once.
    func sealed(
        to publicKey: X25519PublicKey, slot: String
    ) throws(CryptographyError) -> (ephemeralKey: [UInt8], ring: [UInt8]) {
        let ephemeral = try X25519PrivateKey.generate()
        let shared = try ephemeral.sharedSecret(with: publicKey)
        let cipher = Self.cipher(shared, ephemeral.publicKey, publicKey, repository: repository, slot: slot)
        let plain = encoded
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let ring = [UInt8](unsafeUninitializedCapacity: plain.count + AES256GCM.tagLength) { output, count in
            plain.withBytes { cipher.seal($0, nonce: (0, 0), associated: none, into: output.baseAddress!) }
            count = plain.count + AES256GCM.tagLength
        }
        return (ephemeral.publicKey.raw, ring)
    }

    /// nil when what is there was not sealed to this slot of this repository.
    static func open(
        _ ring: [UInt8], ephemeralKey: [UInt8], with privateKey: X25519PrivateKey, repository: [UInt8], slot: String
    ) -> KeyRing? {
        guard ring.count > AES256GCM.tagLength, let ephemeral = try? X25519PublicKey(raw: ephemeralKey),
            let shared = try? privateKey.sharedSecret(with: ephemeral)
        else { return nil }
        let cipher = cipher(shared, ephemeral, privateKey.publicKey, repository: repository, slot: slot)
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        var isAuthentic = false
        let plain = Secret(count: ring.count - AES256GCM.tagLength) { output in
            isAuthentic = ring.withUnsafeBytes {
                cipher.open($0, nonce: (0, 0), associated: none, into: output.baseAddress!)
            }
        }
        return isAuthentic ? plain.withBytes { KeyRing($0, repository: repository) } : nil
    }

    private static func cipher(
        _ shared: Secret, _ ephemeral: X25519PublicKey, _ publicKey: X25519PublicKey, repository: [UInt8], slot: String
    ) -> AES256GCM {
        AES256GCM(
            key: HKDFSHA256.derive(
                keyLength, from: shared, salt: ephemeral.raw + publicKey.raw,
                info: Array("lockstep vault ring".utf8) + repository + Array(slot.utf8)))
    }

    /// Names the newest root key without telling it, hex.
    var newestID: String {
        let id = HKDFSHA256.derive(
            16, from: rootKeys[rootKeys.count - 1], salt: repository, info: "lockstep vault root key id".utf8)
        return id.withBytes { Hex.encode($0) }
    }

    /// Authenticates an object of key slots, hex.
    func code(of slots: [UInt8]) -> String {
        Hex.encode(HMACSHA256.authenticate(key: slotsKey, message: slots))
    }
}
