import COpenSSL

/// Owns a key of OpenSSL.
///
/// Unchecked: a key is not changed after it was made; each operation has a context of its own.
final class AsymmetricKey: @unchecked Sendable {
    enum Kind: String {
        case rsa = "RSA"
        case ed25519 = "Ed25519"
        case x25519 = "X25519"

        fileprivate var identifier: Int32 {
            switch self {
            case .rsa: EVP_PKEY_RSA
            case .ed25519: EVP_PKEY_ED25519
            case .x25519: EVP_PKEY_X25519
            }
        }
    }

    let pointer: OpaquePointer

    /// Takes the key over; refuses any other kind.
    init(_ pointer: OpaquePointer, kind: Kind) throws(CryptographyError) {
        self.pointer = pointer
        guard EVP_PKEY_get_base_id(pointer) == kind.identifier else {
            throw CryptographyError(code: .invalidKey, message: "the key is not an \(kind.rawValue) key")
        }
    }

    /// Reads `BEGIN PRIVATE KEY` (PKCS #8), and PKCS #1 for RSA; with a passphrase also `BEGIN ENCRYPTED PRIVATE KEY`.
    convenience init(privatePEM pem: String, kind: Kind, passphrase: Secret? = nil) throws {
        let encrypted = PassphraseRequest(passphrase)
        let pointer = try withInputBIO(pem) { bio in
            PEM_read_bio_PrivateKey(bio, nil, answerPassphrase, Unmanaged.passUnretained(encrypted).toOpaque())
        }
        guard let pointer else {
            if encrypted.wasAsked, passphrase == nil {
                ERR_clear_error()
                throw CryptographyError(
                    code: .encryptedKey,
                    message: "the private key is protected by a passphrase: store it without one")
            }
            if encrypted.wasAsked {
                ERR_clear_error()
                throw CryptographyError(
                    code: .wrongPassword, message: "its private key does not open with this password")
            }
            throw CryptographyError.openSSL(.invalidKey, "the text is no private key in PEM form")
        }
        try self.init(pointer, kind: kind)
    }

    /// Reads `BEGIN PUBLIC KEY`.
    convenience init(publicPEM pem: String, kind: Kind) throws {
        guard let pointer = try withInputBIO(pem, { PEM_read_bio_PUBKEY($0, nil, nil, nil) }) else {
            throw CryptographyError.openSSL(.invalidKey, "the text is no public key in PEM form")
        }
        try self.init(pointer, kind: kind)
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    /// PKCS #8, unencrypted.
    func privatePEM() throws -> String {
        try withOutputBIO { PEM_write_bio_PrivateKey($0, pointer, nil, nil, 0, nil, nil) }
    }

    /// SubjectPublicKeyInfo.
    func publicPEM() throws -> String {
        try withOutputBIO { PEM_write_bio_PUBKEY($0, pointer) }
    }
}

/// Notes that OpenSSL wanted a passphrase, for which it would otherwise ask on the terminal, and gives the one there is.
private final class PassphraseRequest {
    let passphrase: Secret?
    var wasAsked = false

    init(_ passphrase: Secret?) {
        self.passphrase = passphrase
    }
}

private func answerPassphrase(
    buffer: UnsafeMutablePointer<CChar>?, capacity: Int32, _: Int32, request: UnsafeMutableRawPointer?
) -> Int32 {
    guard let request else { return -1 }
    // The request outlives the call: whoever passes it holds it.
    let asked = Unmanaged<PassphraseRequest>.fromOpaque(request).takeUnretainedValue()
    asked.wasAsked = true
    guard let buffer, let passphrase = asked.passphrase, passphrase.count <= Int(capacity) else { return -1 }
    passphrase.withBytes { UnsafeMutableRawBufferPointer(start: buffer, count: $0.count).copyMemory(from: $0) }
    return Int32(passphrase.count)
}

/// Lets OpenSSL read a text.
func withInputBIO(_ text: String, _ read: (OpaquePointer) -> OpaquePointer?) throws -> OpaquePointer? {
    var text = text
    return try text.withUTF8 { bytes in
        guard let length = Int32(exactly: bytes.count) else {
            throw CryptographyError(code: .invalidKey, message: "the text is too long for a key")
        }
        let bio = demand(BIO_new_mem_buf(bytes.baseAddress ?? UnsafePointer(bitPattern: 1), length), "read a text")
        defer { BIO_free(bio) }
        return read(bio)
    }
}

/// The text that OpenSSL writes.
private func withOutputBIO(_ write: (OpaquePointer) -> Int32) throws -> String {
    let bio = demand(BIO_new(BIO_s_mem()), "write a text")
    defer { BIO_free(bio) }
    guard write(bio) == 1 else { throw CryptographyError.openSSL(.operationFailed, "the key could not be written") }
    let length = Int32(clamping: BIO_ctrl_pending(bio))
    return String(unsafeUninitializedCapacity: Int(length)) { Int(max(0, BIO_read(bio, $0.baseAddress, length))) }
}
