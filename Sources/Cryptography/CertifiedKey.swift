import COpenSSL

/// An RSA key and the certificate that is for it, from one file.
package struct CertifiedKey: Sendable {
    package let key: RSAPrivateKey
    /// DER.
    package let certificate: [UInt8]

    /// A chain is longer than this in no file that is meant.
    private static let certificateLimit = 100

    /// Reads PEM with a private key and its certificate in any order, other certificates with them, or PKCS #12.
    ///
    /// - Parameter password: of an encrypted key, or of the PKCS #12 file.
    package init(file: [UInt8], password: Secret? = nil) throws {
        // PKCS #12 is one DER sequence.
        if file.first == 0x30 {
            try self.init(pkcs12: file, password: password)
        } else {
            try self.init(pem: String(decoding: file, as: UTF8.self), password: password)
        }
    }

    private init(pem: String, password: Secret?) throws {
        let key = try AsymmetricKey(privatePEM: pem, kind: .rsa, passphrase: password)
        var found: [UInt8]?
        _ = try withInputBIO(pem) { bio in
            for _ in 0..<Self.certificateLimit {
                guard let certificate = PEM_read_bio_X509(bio, nil, nil, nil) else { break }
                defer { X509_free(certificate) }
                if X509_check_private_key(certificate, key.pointer) == 1 {
                    found = Self.der(certificate)
                    break
                }
            }
            return nil
        }
        // The end of the text, and certificates of other keys, leave their reasons in the thread's queue.
        ERR_clear_error()
        guard let found else {
            throw CryptographyError(
                code: .invalidKey, message: "there is no certificate in it that is for its private key")
        }
        self.key = RSAPrivateKey(key: key)
        certificate = found
    }

    private init(pkcs12 bytes: [UInt8], password: Secret?) throws {
        var key: OpaquePointer?
        var certificate: OpaquePointer?
        try bytes.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            guard let container = d2i_PKCS12(nil, &position, bytes.count) else {
                throw CryptographyError.openSSL(.invalidKey, "it is neither PEM nor PKCS #12")
            }
            defer { PKCS12_free(container) }
            // OpenSSL wants a string; its copy goes with the array, unwiped, for the time of this call.
            let text = (password?.revealed() ?? "").utf8CString
            let (isPassword, isOpen) = text.withUnsafeBufferPointer { text in
                let isPassword =
                    PKCS12_mac_present(container) == 0 || PKCS12_verify_mac(container, text.baseAddress, -1) == 1
                return (isPassword, PKCS12_parse(container, text.baseAddress, &key, &certificate, nil) == 1)
            }
            guard isPassword || password == nil else {
                ERR_clear_error()
                throw CryptographyError(
                    code: .wrongPassword, message: "the PKCS #12 file does not open with this password")
            }
            guard isOpen else {
                throw CryptographyError.openSSL(
                    password == nil ? .encryptedKey : .invalidKey,
                    "the PKCS #12 file does not open \(password == nil ? "without a password" : "with this password"); "
                        + "if it is an old one, write it again with AES")
            }
        }
        defer { X509_free(certificate) }
        guard let key else { throw CryptographyError(code: .invalidKey, message: "there is no private key in it") }
        let owned = try AsymmetricKey(key, kind: .rsa)
        guard let certificate, let der = Self.der(certificate) else {
            throw CryptographyError(code: .invalidKey, message: "there is no certificate in it")
        }
        self.key = RSAPrivateKey(key: owned)
        self.certificate = der
    }

    private static func der(_ certificate: OpaquePointer) -> [UInt8]? {
        let length = i2d_X509(certificate, nil)
        guard length > 0 else { return nil }
        return [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
            var position = buffer.baseAddress
            count = Int(max(0, i2d_X509(certificate, &position)))
        }
    }
}
