import COpenSSL

/// Parameters point to their names and values: names are static, values live as long as the call that uses them.
extension OSSL_PARAM {
    static func text(_ name: StaticString, _ value: StaticString) -> OSSL_PARAM {
        OSSL_PARAM_construct_utf8_string(
            characters(name), UnsafeMutablePointer(mutating: characters(value)), value.utf8CodeUnitCount)
    }

    static func octets(_ name: StaticString, _ bytes: UnsafeRawBufferPointer) -> OSSL_PARAM {
        OSSL_PARAM_construct_octet_string(
            characters(name), UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    static func number(_ name: StaticString, _ value: UnsafeMutablePointer<UInt64>) -> OSSL_PARAM {
        OSSL_PARAM_construct_uint64(characters(name), value)
    }

    static func number(_ name: StaticString, _ value: UnsafeMutablePointer<UInt32>) -> OSSL_PARAM {
        OSSL_PARAM_construct_uint32(characters(name), value)
    }

    /// Static strings end with a zero.
    private static func characters(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

/// A key derivation function of OpenSSL; it lives as long as the program.
///
/// Unchecked: it is only read.
struct KeyDerivation: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ name: String) {
        pointer = demand(EVP_KDF_fetch(nil, name, nil), "find \(name)")
    }

    /// Fills `output`; false where OpenSSL refuses the parameters or lacks the memory.
    func derive(_ output: UnsafeMutableRawBufferPointer, _ parameters: [OSSL_PARAM]) -> Bool {
        let context = demand(EVP_KDF_CTX_new(pointer), "allocate a key derivation")
        defer { EVP_KDF_CTX_free(context) }
        let address = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return EVP_KDF_derive(context, address, output.count, parameters + [OSSL_PARAM_construct_end()]) == 1
    }
}
