import COpenSSL

/// Random bytes that nobody can foretell.
package enum SecureRandom {
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            demand(RAND_bytes(buffer.baseAddress, Int32(count)), "give random bytes")
            initialized = count
        }
    }
}
