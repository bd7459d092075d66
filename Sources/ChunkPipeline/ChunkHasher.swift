package import Cryptography
import Digests
package import ReplicationModel

/// Gives chunks their ids. Any thread may.
package struct ChunkHasher: Sendable {
    private let key: Secret

    /// - Precondition: 32 bytes.
    package init(key: Secret) {
        precondition(key.withBytes { $0.count } == BLAKE3.keyLength, "the key of chunk ids has 32 bytes")
        self.key = key
    }

    package func id(of chunk: UnsafeRawBufferPointer) -> ChunkID {
        withUnsafeTemporaryAllocation(byteCount: ChunkID.length, alignment: 8) { digest in
            key.withBytes { BLAKE3.hash(chunk, key: $0, into: digest.baseAddress!) }
            return ChunkID(UnsafeRawBufferPointer(digest))
        }
    }
}
