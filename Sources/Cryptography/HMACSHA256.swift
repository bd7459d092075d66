import COpenSSL

/// HMAC with SHA-256 (RFC 2104): the signatures of S3 and Azure.
package enum HMACSHA256 {
    package static let codeLength = 32

    /// The authentication code, 32 bytes.
    package static func authenticate(key: some RawBytes, message: some RawBytes) -> [UInt8] {
        key.withRawBytes { key in
            message.withRawBytes { authenticate(key: key, message: $0) }
        }
    }

    /// The same as for any bytes; named for array literals, which say nothing about their type.
    package static func authenticate(key: [UInt8], message: [UInt8]) -> [UInt8] {
        key.withUnsafeBytes { key in
            message.withUnsafeBytes { authenticate(key: key, message: $0) }
        }
    }

    package static func authenticate(
        key: UnsafeRawBufferPointer, message: UnsafeRawBufferPointer
    ) -> [UInt8] {
        // A copy of a prepared context costs two thirds of a fresh one, and frees and wipes its key when it goes.
        let context = demand(EVP_MAC_CTX_dup(template.pointer), "copy an HMAC")
        defer { EVP_MAC_CTX_free(context) }
        if let address = key.baseAddress {
            demand(EVP_MAC_init(context, address, key.count, nil), "key an HMAC")
        } else {
            // Without an address OpenSSL would keep the template's key.
            var nothing: UInt8 = 0
            demand(EVP_MAC_init(context, &nothing, 0, nil), "key an HMAC")
        }
        demand(EVP_MAC_update(context, message.baseAddress, message.count), "continue an HMAC")
        return [UInt8](unsafeUninitializedCapacity: codeLength) { buffer, count in
            demand(EVP_MAC_final(context, buffer.baseAddress, &count, codeLength), "finish an HMAC")
        }
    }

    private static let template = Template()

    /// A context that knows its hash function; it lives as long as the program.
    ///
    /// Unchecked: it is only copied.
    private struct Template: @unchecked Sendable {
        let pointer: OpaquePointer

        init() {
            let algorithm = demand(EVP_MAC_fetch(nil, "HMAC", nil), "find HMAC")
            defer { EVP_MAC_free(algorithm) }
            pointer = demand(EVP_MAC_CTX_new(algorithm), "allocate an HMAC")
            // A context without any key cannot be copied.
            var key: UInt8 = 0
            var parameters = [OSSL_PARAM.text("digest", "SHA256"), OSSL_PARAM_construct_end()]
            demand(EVP_MAC_init(pointer, &key, 1, &parameters), "prepare an HMAC")
        }
    }
}
