import Digests

/// What anybody can tell of a sealed object without a key: that it is whole.
package enum SealedCheck {
    /// Smallest sealed object.
    static let minLength = ObjectHeader.length + RecordCipher.overhead + ObjectTrailer.length

    /// Compares magic, version, lengths and the hash of the trailer. Finds accidents: who changes an object can change its hash too.
    package static func verify(_ object: UnsafeRawBufferPointer, name: String) throws(VaultError) {
        let trailer = try ObjectTrailer(object, name: name)
        let header = try ObjectHeader(object, name: name)
        guard object.count >= minLength else {
            throw VaultError(.damaged, object: name, "is cut short: it has \(object.count) bytes")
        }
        let isPack = header.type == .dataPack || header.type == .metadataPack
        let room = UInt64(object.count - ObjectHeader.length - ObjectTrailer.length)
        guard trailer.footerLength <= room, isPack == (trailer.footerLength > 0) else {
            throw VaultError(.damaged, object: name, "its trailer is not valid")
        }
        let content = UnsafeRawBufferPointer(rebasing: object.dropLast(ObjectTrailer.length))
        var hasher = BLAKE3()
        hasher.update(content)
        guard trailer.ends(hasher) else {
            throw VaultError(.damaged, object: name, "its bytes differ from the checksum at its end: it was changed")
        }
    }
}
