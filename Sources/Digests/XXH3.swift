import CXXHash

/// XXH3 with 64 bits: for tables and frames of our own, never for telling objects apart.
package enum XXH3 {
    package static func hash64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
    }
}
