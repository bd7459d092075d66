import COpenSSL

/// An Ed25519 key (RFC 8032) that signs manifests.
package struct Ed25519PrivateKey: Sendable {
    private let key: AsymmetricKey
    package let publicKey: Ed25519PublicKey

    /// Reads `BEGIN PRIVATE KEY` (PKCS #8, RFC 8410), without a passphrase.
    package init(pem: String) throws {
        try self.init(AsymmetricKey(privatePEM: pem, kind: .ed25519))
    }

    /// - Parameter seed: the 32 bytes that RFC 8032 calls the private key.
    package init(seed: [UInt8]) throws {
        guard seed.count == 32, let pointer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
        else { throw CryptographyError.openSSL(.invalidKey, "an Ed25519 private key has 32 bytes") }
        try self.init(AsymmetricKey(pointer, kind: .ed25519))
    }

    private init(_ key: AsymmetricKey) throws {
        self.key = key
        var count = Ed25519PublicKey.length
        let raw = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = EVP_PKEY_get_raw_public_key(key.pointer, buffer.baseAddress, &count) == 1 ? count : 0
        }
        publicKey = try Ed25519PublicKey(raw: raw)
    }

    package static func generate() throws -> Ed25519PrivateKey {
        try Ed25519PrivateKey(seed: SecureRandom.bytes(32))
    }

    /// 64 bytes; the same for the same message.
    package func sign(_ message: some RawBytes) throws -> [UInt8] {
        let context = demand(EVP_MD_CTX_new(), "allocate a signature")
        defer { EVP_MD_CTX_free(context) }
        var length = Ed25519PublicKey.signatureLength
        let signature: [UInt8] = message.withRawBytes { message in
            [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
                let isSigned =
                    EVP_DigestSignInit(context, nil, nil, nil, key.pointer) == 1
                    && EVP_DigestSign(context, buffer.baseAddress, &length, message.baseAddress, message.count) == 1
                count = isSigned ? length : 0
            }
        }
        guard signature.count == Ed25519PublicKey.signatureLength else {
            throw CryptographyError.openSSL(.operationFailed, "the key could not sign")
        }
        return signature
    }

    /// The private key in PKCS #8 form, unencrypted.
    package func pem() throws -> String { try key.privatePEM() }
}

/// The public half of an Ed25519 key.
package struct Ed25519PublicKey: Sendable {
    package static let length = 32
    package static let signatureLength = 64

    /// The point as RFC 8032 encodes it, 32 bytes.
    package let raw: [UInt8]
    private let key: AsymmetricKey

    /// Reads `BEGIN PUBLIC KEY` (SubjectPublicKeyInfo, RFC 8410).
    package init(pem: String) throws {
        let key = try AsymmetricKey(publicPEM: pem, kind: .ed25519)
        var count = Self.length
        let raw = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = EVP_PKEY_get_raw_public_key(key.pointer, buffer.baseAddress, &count) == 1 ? count : 0
        }
        try self.init(raw: raw)
    }

    package init(raw: [UInt8]) throws {
        guard raw.count == Self.length,
            let pointer = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, raw, raw.count)
        else { throw CryptographyError.openSSL(.invalidKey, "an Ed25519 public key has 32 bytes") }
        self.raw = raw
        key = try AsymmetricKey(pointer, kind: .ed25519)
    }

    /// Whether the signature is the key's own of this message.
    package func verify(_ signature: [UInt8], of message: some RawBytes) -> Bool {
        let context = demand(EVP_MD_CTX_new(), "allocate a signature")
        defer { EVP_MD_CTX_free(context) }
        let isValid = message.withRawBytes { message in
            EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1
                && EVP_DigestVerify(context, signature, signature.count, message.baseAddress, message.count) == 1
        }
        // A signature that does not fit leaves its reasons in the thread's queue.
        if !isValid { ERR_clear_error() }
        return isValid
    }

    package func pem() throws -> String { try key.publicPEM() }
}

extension Ed25519PublicKey: Hashable {
    package static func == (a: Ed25519PublicKey, b: Ed25519PublicKey) -> Bool { a.raw == b.raw }
    package func hash(into hasher: inout Hasher) { hasher.combine(raw) }
}
