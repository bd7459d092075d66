import COpenSSL

/// Comparison whose duration says nothing about where two values differ.
package enum ConstantTime {
    /// Whether the bytes are equal; only their number can be told from the duration.
    package static func equal(_ a: some RawBytes, _ b: some RawBytes) -> Bool {
        a.withRawBytes { a in
            b.withRawBytes { b in
                a.count == b.count && (a.isEmpty || CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0)
            }
        }
    }
}
