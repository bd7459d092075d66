import COpenSSL
import Synchronization

/// AES-256-GCM (NIST SP 800-38D) under one key: any thread, many at a time.
///
/// A nonce must never be used twice for sealing under one key. It has 12 bytes: both numbers in little-endian order.
package struct AES256GCM: Sendable {
    package static let keyLength = 32
    package static let tagLength = 16
    package typealias Nonce = (UInt64, UInt32)

    private let contexts: KeyedContexts

    /// - Precondition: the key has 32 bytes.
    package init(key: Secret) {
        precondition(key.count == Self.keyLength, "an AES-256 key has 32 bytes")
        contexts = KeyedContexts(key)
    }

    /// Writes the ciphertext and then the tag: `plain.count + tagLength` bytes. `output` may be where the plain bytes are.
    package func seal(
        _ plain: UnsafeRawBufferPointer, nonce: Nonce, associated: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawPointer
    ) {
        contexts.withOne { context in
            start(context, nonce, associated, encrypt: 1)
            update(context, plain, output)
            let end = output + plain.count
            var none: Int32 = 0
            demand(EVP_CipherFinal_ex(context, end.assumingMemoryBound(to: UInt8.self), &none), "end a ciphertext")
            demand(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), end), "tag a ciphertext")
        }
    }

    /// Writes the plain bytes, `sealed.count - tagLength` of them. `output` may be where the sealed bytes are.
    /// - Returns: false when they are not authentic; `output` then holds zeros.
    package func open(
        _ sealed: UnsafeRawBufferPointer, nonce: Nonce, associated: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawPointer
    ) -> Bool {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        return open(sealed, none, nonce: nonce, associated: associated, into: output)
    }

    /// The same for sealed bytes that lie in two pieces, cut anywhere; `output` overlaps neither, or is where the first begins
    /// and ends before the second.
    package func open(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, nonce: Nonce,
        associated: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) -> Bool {
        let count = first.count + second.count - Self.tagLength
        guard count >= 0 else { return false }
        let head = UnsafeRawBufferPointer(rebasing: first.prefix(count))
        let tail = UnsafeRawBufferPointer(rebasing: second.prefix(count - head.count))
        return withUnsafeTemporaryAllocation(byteCount: Self.tagLength, alignment: 1) { tag in
            let early = first.dropFirst(head.count)
            tag.copyBytes(from: early)
            UnsafeMutableRawBufferPointer(rebasing: tag[early.count...]).copyBytes(from: second.dropFirst(tail.count))
            let isAuthentic = contexts.withOne { context in
                start(context, nonce, associated, encrypt: 0)
                update(context, head, output)
                update(context, tail, output + head.count)
                let length = Int32(Self.tagLength)
                demand(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length, tag.baseAddress), "take a tag")
                var none: Int32 = 0
                let end = (output + count).assumingMemoryBound(to: UInt8.self)
                return EVP_CipherFinal_ex(context, end, &none) == 1
            }
            if !isAuthentic {
                ERR_clear_error()
                OPENSSL_cleanse(output, count)
            }
            return isAuthentic
        }
    }

    private func start(
        _ context: OpaquePointer, _ nonce: Nonce, _ associated: UnsafeRawBufferPointer, encrypt: Int32
    ) {
        let nonce = (nonce.0.littleEndian, nonce.1.littleEndian)
        withUnsafeBytes(of: nonce) { nonce in
            let address = nonce.baseAddress!.assumingMemoryBound(to: UInt8.self)
            demand(EVP_CipherInit_ex(context, nil, nil, nil, address, encrypt), "take a nonce")
        }
        update(context, associated, nil)
    }

    private func update(
        _ context: OpaquePointer, _ bytes: UnsafeRawBufferPointer, _ output: UnsafeMutableRawPointer?
    ) {
        guard !bytes.isEmpty else { return }
        precondition(bytes.count <= Int(Int32.max), "AES-256-GCM takes at most 2 GiB at a time")
        var written: Int32 = 0
        demand(
            EVP_CipherUpdate(
                context, output?.assumingMemoryBound(to: UInt8.self), &written,
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count)),
            "continue a ciphertext")
    }
}

/// Contexts that hold the expanded key, for reuse: expanding it costs as much as some kilobytes of ciphertext.
///
/// Unchecked: a context is used by whoever took it, and by nobody else until it is given back.
private final class KeyedContexts: @unchecked Sendable {
    /// Idle contexts beyond it are freed: as many threads as use one key at a time, about.
    private static let maxIdle = 16

    private struct Idle: @unchecked Sendable {
        var contexts: [OpaquePointer] = []
    }

    private struct Taken: @unchecked Sendable {
        let context: OpaquePointer?
    }

    private let key: Secret
    private let idle = Mutex(Idle())

    init(_ key: Secret) {
        self.key = key
    }

    deinit {
        // Freeing wipes the expanded key.
        idle.withLock { $0.contexts.forEach { EVP_CIPHER_CTX_free($0) } }
    }

    func withOne<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        let context = idle.withLock { Taken(context: $0.contexts.popLast()) }.context ?? make()
        let result = body(context)
        let isKept = idle.withLock { idle in
            guard idle.contexts.count < Self.maxIdle else { return false }
            idle.contexts.append(context)
            return true
        }
        if !isKept { EVP_CIPHER_CTX_free(context) }
        return result
    }

    private func make() -> OpaquePointer {
        let context = demand(EVP_CIPHER_CTX_new(), "allocate a cipher")
        key.withBytes { key in
            let address = key.baseAddress!.assumingMemoryBound(to: UInt8.self)
            demand(EVP_CipherInit_ex(context, Self.algorithm.pointer, nil, address, nil, 1), "expand a key")
        }
        return context
    }

    private static let algorithm = Algorithm()

    /// Unchecked: it is only read, and lives as long as the program.
    private struct Algorithm: @unchecked Sendable {
        let pointer = demand(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil), "find AES-256-GCM")
    }
}
