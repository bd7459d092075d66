import Digests

/// The last 48 bytes of every sealed object, in the clear: lets anybody without a key see damage.
package struct ObjectTrailer: Sendable {
    package static let length = 48

    static let magic = Array("LSVEND01".utf8)

    /// Bytes of a pack's sealed footer record; 0 for all other objects.
    package let footerLength: UInt64
    /// BLAKE3, unkeyed, of everything before the trailer.
    package let hash: [UInt8]

    package init(footerLength: UInt64, hash: [UInt8]) {
        precondition(hash.count == BLAKE3.digestLength, "a trailer's hash has 32 bytes")
        self.footerLength = footerLength
        self.hash = hash
    }

    /// Reads the last bytes of an object. `name` is for the errors.
    package init(_ bytes: UnsafeRawBufferPointer, name: String) throws(VaultError) {
        guard bytes.count >= Self.length else {
            throw VaultError(.damaged, object: name, "is cut short: it has \(bytes.count) bytes")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.length))
        guard bytes[40...].elementsEqual(Self.magic) else {
            throw VaultError(
                .damaged, object: name, "is cut short, or was changed: its last bytes are not those of a sealed object")
        }
        footerLength = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        hash = Array(bytes[8..<40])
    }

    package var bytes: [UInt8] {
        withUnsafeBytes(of: footerLength.littleEndian) { Array($0) } + hash + Self.magic
    }
}
