import Digests

/// The last 48 bytes of every sealed object, in the clear: lets anybody without a key see damage.
package struct ObjectTrailer: Sendable {
    package static let length = 48

    static let magic = Array("LSVEND01".utf8)

    /// Bytes of a pack's sealed footer record; 0 for all other objects.
    package let footerLength: UInt64
    /// BLAKE3, unkeyed, of everything before it: the object up to the trailer, and the footer's length.
    package let hash: [UInt8]

    /// The trailer of an object whose other bytes are `content`.
    package init(of content: UnsafeRawBufferPointer, footerLength: UInt64) {
        var hasher = BLAKE3()
        hasher.update(content)
        self.footerLength = footerLength
        hash = Self.finish(hasher, footerLength)
    }

    /// Whether the trailer is that of the bytes that went through `content`.
    func ends(_ content: BLAKE3) -> Bool {
        Self.finish(content, footerLength) == hash
    }

    private static func finish(_ content: BLAKE3, _ footerLength: UInt64) -> [UInt8] {
        var hasher = content
        withUnsafeBytes(of: footerLength.littleEndian) { hasher.update($0) }
        return hasher.finalize()
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
