import Cryptography

/// The key of one sealed object, for its records.
///
/// A record's nonce is its first byte's place in the object, so no nonce comes twice as long as nothing is sealed at a place where
/// something else was sealed before: then a new object begins. The stored length is authenticated with it.
package struct RecordCipher: Sendable {
    /// Bytes that a record is longer than what is in it.
    package static let overhead = AES256GCM.tagLength

    private let cipher: AES256GCM

    init(key: Secret) {
        cipher = AES256GCM(key: key)
    }

    /// Writes `plain.count + overhead` bytes; in place allowed.
    package func seal(_ plain: UnsafeRawBufferPointer, at offset: UInt64, into output: UnsafeMutableRawPointer) {
        Self.withPlace(offset, plain.count + Self.overhead) {
            cipher.seal(plain, nonce: (offset, 0), associated: $0, into: output)
        }
    }

    /// Writes `sealed.count - overhead` bytes; in place allowed.
    /// - Returns: false when the record is not what was sealed there; `output` then holds zeros.
    package func open(
        _ sealed: UnsafeRawBufferPointer, at offset: UInt64, into output: UnsafeMutableRawPointer
    ) -> Bool {
        Self.withPlace(offset, sealed.count) {
            cipher.open(sealed, nonce: (offset, 0), associated: $0, into: output)
        }
    }

    /// The same for a record that lies in two pieces, cut anywhere. `output` overlaps neither.
    package func open(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, at offset: UInt64,
        into output: UnsafeMutableRawPointer
    ) -> Bool {
        Self.withPlace(offset, first.count + second.count) {
            cipher.open(first, second, nonce: (offset, 0), associated: $0, into: output)
        }
    }

    /// The associated data: offset, then stored length.
    private static func withPlace<Result>(
        _ offset: UInt64, _ storedLength: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        guard let storedLength = UInt32(exactly: storedLength) else {
            preconditionFailure("a record has less than 4 GiB")
        }
        return withUnsafeBytes(of: (offset.littleEndian, storedLength.littleEndian)) {
            body(UnsafeRawBufferPointer(rebasing: $0.prefix(12)))
        }
    }
}
