import CBLAKE3

/// A running BLAKE3 hash, plain or keyed: the content address of a chunk.
///
/// A value: a copy continues on its own.
package struct BLAKE3: Sendable {
    package static let digestLength = 32
    package static let keyLength = 32

    private var state: State

    package init() {
        state = State()
        blake3_hasher_init(state.hasher)
    }

    /// A keyed hash, a message authentication code.
    package init(key: [UInt8]) {
        precondition(key.count == Self.keyLength, "a BLAKE3 key has 32 bytes")
        state = State()
        blake3_hasher_init_keyed(state.hasher, key)
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
        blake3_hasher_update(state.hasher, bytes.baseAddress, bytes.count)
    }

    /// The digest of everything so far; more can follow.
    package func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.digestLength) { buffer, count in
            blake3_hasher_finalize(state.hasher, buffer.baseAddress, Self.digestLength)
            count = Self.digestLength
        }
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = BLAKE3()
        hasher.update(bytes)
        return hasher.finalize()
    }

    /// The keyed hash of bytes that lie together: 32 bytes at `digest`.
    package static func hash(
        _ bytes: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, into digest: UnsafeMutableRawPointer
    ) {
        precondition(key.count == keyLength, "a BLAKE3 key has 32 bytes")
        withUnsafeTemporaryAllocation(of: blake3_hasher.self, capacity: 1) { hasher in
            let hasher = hasher.baseAddress!
            blake3_hasher_init_keyed(hasher, key.baseAddress!.assumingMemoryBound(to: UInt8.self))
            blake3_hasher_update(hasher, bytes.baseAddress, bytes.count)
            blake3_hasher_finalize(hasher, digest.assumingMemoryBound(to: UInt8.self), digestLength)
        }
    }

    /// Owns the C structure of nearly 2 KB; freed with the last copy that refers to it.
    ///
    /// Unchecked: only `update` writes to it, and only when one value refers to it.
    private final class State: @unchecked Sendable {
        let hasher = UnsafeMutablePointer<blake3_hasher>.allocate(capacity: 1)

        init() {}

        init(copying other: State) {
            hasher.initialize(from: other.hasher, count: 1)
        }

        deinit {
            hasher.deallocate()
        }
    }
}
