import COpenSSL

/// HKDF with SHA-256 (RFC 5869), both steps: many independent keys from one good one.
package enum HKDFSHA256 {
    /// Most bytes that one derivation gives.
    package static let maxOutput = 255 * 32
    /// OpenSSL takes no more.
    package static let maxInfo = 1024

    /// - Precondition: the key is not empty; `count` and the length of `info` are within the limits above.
    package static func derive(
        _ count: Int, from key: some RawBytes, salt: some RawBytes, info: some RawBytes
    ) -> Secret {
        Secret(count: count) { output in
            key.withRawBytes { key in
                salt.withRawBytes { salt in
                    info.withRawBytes { derive(output, key: key, salt: salt, info: $0) }
                }
            }
        }
    }

    private static func derive(
        _ output: UnsafeMutableRawBufferPointer, key: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer,
        info: UnsafeRawBufferPointer
    ) {
        precondition((1...maxOutput).contains(output.count), "HKDF gives 1 to \(maxOutput) bytes")
        precondition(!key.isEmpty && info.count <= maxInfo, "HKDF needs a key, and takes \(maxInfo) bytes of purpose")
        var parameters = [OSSL_PARAM.text("digest", "SHA256"), .octets("key", key)]
        // Without a salt, and with an empty one, it is 32 zeros.
        if !salt.isEmpty { parameters.append(.octets("salt", salt)) }
        if !info.isEmpty { parameters.append(.octets("info", info)) }
        precondition(function.derive(output, parameters), "OpenSSL could not derive a key by HKDF")
    }

    private static let function = KeyDerivation("HKDF")
}
