import COpenSSL

/// A private key of the Diffie–Hellman function X25519 (RFC 7748).
package struct X25519PrivateKey: Sendable {
    private let key: AsymmetricKey
    package let publicKey: X25519PublicKey

    /// - Parameter raw: 32 bytes; any are a key.
    package init(raw: Secret) throws(CryptographyError) {
        guard raw.count == X25519PublicKey.length,
            let pointer = raw.withBytes({
                EVP_PKEY_new_raw_private_key(
                    EVP_PKEY_X25519, nil, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count)
            })
        else { throw CryptographyError.openSSL(.invalidKey, "an X25519 private key has 32 bytes") }
        key = try AsymmetricKey(pointer, kind: .x25519)
        var count = X25519PublicKey.length
        let address = key.pointer
        let raw = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = EVP_PKEY_get_raw_public_key(address, buffer.baseAddress, &count) == 1 ? count : 0
        }
        publicKey = try X25519PublicKey(raw: raw)
    }

    package static func generate() throws(CryptographyError) -> X25519PrivateKey {
        try X25519PrivateKey(raw: Secret.random(X25519PublicKey.length))
    }

    /// What both sides get, 32 bytes. Throws for the few public keys that give nothing but zeros to everybody.
    package func sharedSecret(with peer: X25519PublicKey) throws(CryptographyError) -> Secret {
        let context = demand(EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil), "allocate a key agreement")
        defer { EVP_PKEY_CTX_free(context) }
        var isDerived = false
        let secret = Secret(count: X25519PublicKey.length) { output in
            var count = output.count
            isDerived =
                EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer.key.pointer) == 1
                && EVP_PKEY_derive(context, output.baseAddress?.assumingMemoryBound(to: UInt8.self), &count) == 1
                && count == output.count
        }
        guard isDerived else {
            throw CryptographyError.openSSL(.invalidKey, "the public key gives no secret")
        }
        return secret
    }
}

/// The public half of an X25519 key.
package struct X25519PublicKey: Sendable {
    package static let length = 32

    /// The u-coordinate as RFC 7748 encodes it, 32 bytes.
    package let raw: [UInt8]
    fileprivate let key: AsymmetricKey

    package init(raw: [UInt8]) throws(CryptographyError) {
        guard raw.count == Self.length,
            let pointer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, raw, raw.count)
        else { throw CryptographyError.openSSL(.invalidKey, "an X25519 public key has 32 bytes") }
        self.raw = raw
        key = try AsymmetricKey(pointer, kind: .x25519)
    }
}
