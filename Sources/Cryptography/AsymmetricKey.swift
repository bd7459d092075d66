import COpenSSL

/// Owns a key of OpenSSL.
///
/// Unchecked: a key is not changed after it was made; each operation has a context of its own.
final class AsymmetricKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes the key over; refuses any other kind than RSA.
    init(rsa pointer: OpaquePointer) throws {
        self.pointer = pointer
        guard EVP_PKEY_get_base_id(pointer) == EVP_PKEY_RSA else {
            throw CryptographyError(code: .invalidKey, message: "the key is not an RSA key")
        }
    }

    deinit {
        EVP_PKEY_free(pointer)
    }
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
func withOutputBIO(_ write: (OpaquePointer) -> Int32) throws -> String {
    let bio = demand(BIO_new(BIO_s_mem()), "write a text")
    defer { BIO_free(bio) }
    guard write(bio) == 1 else { throw CryptographyError.openSSL(.operationFailed, "the key could not be written") }
    let length = Int32(clamping: BIO_ctrl_pending(bio))
    return String(unsafeUninitializedCapacity: Int(length)) { Int(max(0, BIO_read(bio, $0.baseAddress, length))) }
}
