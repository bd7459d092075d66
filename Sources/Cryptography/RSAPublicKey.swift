import COpenSSL

/// The public half of an RSA key: checks what the private one signed.
package struct RSAPublicKey: Sendable {
    private let key: AsymmetricKey

    /// Reads `BEGIN PUBLIC KEY`.
    package init(pem: String) throws {
        key = try AsymmetricKey(publicPEM: pem, kind: .rsa)
    }

    /// Whether the signature is the key's own of this message, by PKCS #1 v1.5 over its SHA-256.
    package func verifySHA256(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
        verify(message, signature) { _ in true }
    }

    /// Whether the signature is the key's own of this message, by PSS over its SHA-256 with a salt as long as the digest.
    package func verifyPSSSHA256(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
        verify(message, signature, usePSS)
    }

    private func verify(_ message: [UInt8], _ signature: [UInt8], _ prepare: (OpaquePointer?) -> Bool) -> Bool {
        let context = demand(EVP_MD_CTX_new(), "allocate a signature")
        defer { EVP_MD_CTX_free(context) }
        let digest = SHA256Algorithm.implementation.pointer
        var options: OpaquePointer?
        let isValid =
            EVP_DigestVerifyInit(context, &options, digest, nil, key.pointer) == 1 && prepare(options)
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // A signature that does not fit leaves its reasons in the thread's queue.
        if !isValid { ERR_clear_error() }
        return isValid
    }
}
