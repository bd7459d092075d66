import COpenSSL

/// An RSA key that signs JSON Web Tokens (RS256, PS256), as in a service account's file.
package struct RSAPrivateKey: Sendable {
    private let key: AsymmetricKey

    /// Reads `BEGIN PRIVATE KEY` (PKCS #8) and `BEGIN RSA PRIVATE KEY` (PKCS #1), without a passphrase.
    package init(pem: String) throws {
        key = try AsymmetricKey(privatePEM: pem, kind: .rsa)
    }

    init(key: AsymmetricKey) {
        self.key = key
    }

    /// A new key pair; takes some tenths of a second.
    package static func generate(bits: Int = 2048) throws -> RSAPrivateKey {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, "RSA", nil) else {
            throw CryptographyError.openSSL(.operationFailed, "an RSA key could not be generated")
        }
        defer { EVP_PKEY_CTX_free(context) }
        var generated: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits)) == 1,
            EVP_PKEY_generate(context, &generated) == 1, let generated
        else {
            throw CryptographyError.openSSL(.operationFailed, "an RSA key of \(bits) bits could not be generated")
        }
        return RSAPrivateKey(key: try AsymmetricKey(generated, kind: .rsa))
    }

    /// The signature of a message by PKCS #1 v1.5 over its SHA-256, as long as the modulus.
    package func signSHA256(_ message: [UInt8]) throws -> [UInt8] {
        try sign(message) { _ in true }
    }

    /// The signature of a message by PSS over its SHA-256 (PS256 of RFC 7518): random salt as long as the digest, so that no two
    /// signatures are the same.
    package func signPSSSHA256(_ message: [UInt8]) throws -> [UInt8] {
        try sign(message, usePSS)
    }

    private func sign(_ message: [UInt8], _ prepare: (OpaquePointer?) -> Bool) throws -> [UInt8] {
        let context = demand(EVP_MD_CTX_new(), "allocate a signature")
        defer { EVP_MD_CTX_free(context) }
        let digest = SHA256Algorithm.implementation.pointer
        var options: OpaquePointer?
        var capacity = 0
        guard EVP_DigestSignInit(context, &options, digest, nil, key.pointer) == 1, prepare(options),
            EVP_DigestSign(context, nil, &capacity, message, message.count) == 1
        else { throw CryptographyError.openSSL(.operationFailed, "the key cannot sign with SHA-256") }
        var signed: Int32 = 0
        let signature = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = capacity
            signed = EVP_DigestSign(context, buffer.baseAddress, &count, message, message.count)
            if signed != 1 { count = 0 }
        }
        guard signed == 1 else { throw CryptographyError.openSSL(.operationFailed, "the key could not sign") }
        return signature
    }

    /// The private key in PKCS #8 form, unencrypted.
    package func pem() throws -> String {
        try key.privatePEM()
    }

    package func publicKeyPEM() throws -> String {
        try key.publicPEM()
    }
}

/// Makes a signature, or its check, one by PSS (RFC 8017, 8.1) with a salt as long as the digest; the mask is made by the same hash.
func usePSS(_ options: OpaquePointer?) -> Bool {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1
}
