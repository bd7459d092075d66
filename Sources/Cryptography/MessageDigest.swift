import COpenSSL

/// SHA-256: request signing and S3's SHA256 checksum.
package typealias SHA256 = MessageDigest<SHA256Algorithm>
/// SHA-1: S3's SHA1 checksum of objects that others wrote, nothing else.
package typealias SHA1 = MessageDigest<SHA1Algorithm>
/// MD5: where a store wants it or reports it. It tells accidents, not attacks.
package typealias MD5 = MessageDigest<MD5Algorithm>

/// A running hash of OpenSSL; a value, so that a copy continues on its own.
package struct MessageDigest<Algorithm: MessageDigestAlgorithm>: Sendable {
    private var context: Context

    package init() {
        context = Context()
        demand(EVP_DigestInit_ex2(context.pointer, Algorithm.implementation.pointer, nil), "start a hash")
    }

    package mutating func update(_ bytes: some RawBytes) {
        if !isKnownUniquelyReferenced(&context) { context = Context(copying: context) }
        bytes.withRawBytes { bytes in
            demand(EVP_DigestUpdate(context.pointer, bytes.baseAddress, bytes.count), "continue a hash")
        }
    }

    /// The digest of everything so far; more can follow.
    package func finalize() -> [UInt8] {
        let copy = Context(copying: context)
        return [UInt8](unsafeUninitializedCapacity: Algorithm.digestLength) { buffer, count in
            demand(EVP_DigestFinal_ex(copy.pointer, buffer.baseAddress, nil), "finish a hash")
            count = Algorithm.digestLength
        }
    }

    package static func hash(_ bytes: some RawBytes) -> [UInt8] {
        bytes.withRawBytes { bytes in
            [UInt8](unsafeUninitializedCapacity: Algorithm.digestLength) { buffer, count in
                let digest = Algorithm.implementation.pointer
                demand(EVP_Digest(bytes.baseAddress, bytes.count, buffer.baseAddress, nil, digest, nil), "hash")
                count = Algorithm.digestLength
            }
        }
    }

    /// The same as for any bytes; named for array literals, which say nothing about their type.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { hash($0) }
    }

    /// Owns the context, which is freed with the last copy that refers to it.
    ///
    /// Unchecked: only `update` changes it, and only when one value refers to it.
    private final class Context: @unchecked Sendable {
        let pointer: OpaquePointer

        init() {
            pointer = demand(EVP_MD_CTX_new(), "allocate a hash")
        }

        convenience init(copying other: Context) {
            self.init()
            demand(EVP_MD_CTX_copy_ex(pointer, other.pointer), "copy a hash")
        }

        deinit {
            EVP_MD_CTX_free(pointer)
        }
    }
}

/// One hash function of OpenSSL.
package protocol MessageDigestAlgorithm: Sendable {
    static var digestLength: Int { get }
    static var implementation: DigestImplementation { get }
}

package enum SHA256Algorithm: MessageDigestAlgorithm {
    package static let digestLength = 32
    package static let implementation = DigestImplementation(named: "SHA256")
}

package enum SHA1Algorithm: MessageDigestAlgorithm {
    package static let digestLength = 20
    package static let implementation = DigestImplementation(named: "SHA1")
}

package enum MD5Algorithm: MessageDigestAlgorithm {
    package static let digestLength = 16
    package static let implementation = DigestImplementation(named: "MD5")
}

/// What OpenSSL's providers offer under a name: looked up once, as that costs more than a small hash, and never freed.
///
/// Unchecked: OpenSSL only reads it.
package struct DigestImplementation: @unchecked Sendable {
    let pointer: OpaquePointer

    init(named name: String) {
        pointer = demand(EVP_MD_fetch(nil, name, nil), "find \(name): its providers are configured without it")
    }
}
