import Digests

/// The first 96 bytes of every sealed object, in the clear.
///
/// Each field is an input of the object's key or is compared with what is expected, so a change of any is found.
package struct ObjectHeader: Sendable {
    package static let length = 96
    package static let saltLength = 32
    package static let commitmentLength = 32
    /// Bytes of the repository id that the header repeats.
    package static let repositoryPrefix = 16

    static let magic = Array("LSVAULT1".utf8)
    static let version: UInt8 = 1

    package let type: SealedType
    /// Which root key it is sealed under, from 1.
    package let keyVersion: UInt32
    /// The first 16 bytes of the repository id.
    package let repository: [UInt8]
    package let salt: [UInt8]
    package let commitment: [UInt8]

    init(type: SealedType, keyVersion: UInt32, repository: [UInt8], salt: [UInt8], commitment: [UInt8]) {
        precondition(
            repository.count >= Self.repositoryPrefix && salt.count == Self.saltLength
                && commitment.count == Self.commitmentLength, "a header's fields have their lengths")
        self.type = type
        self.keyVersion = keyVersion
        self.repository = Array(repository.prefix(Self.repositoryPrefix))
        self.salt = salt
        self.commitment = commitment
    }

    /// Reads the first bytes of an object. `name` is for the errors.
    package init(_ bytes: UnsafeRawBufferPointer, name: String) throws(VaultError) {
        guard bytes.count >= Self.length, bytes.starts(with: Self.magic) else {
            throw VaultError(.damaged, object: name, "is not a sealed object of a vault")
        }
        guard bytes[9] == Self.version else {
            throw VaultError(
                .newerFormat, object: name,
                "is of version \(bytes[9]), this program knows version \(Self.version): use a newer one")
        }
        guard let type = SealedType(rawValue: bytes[8]), bytes[10] == 0, bytes[11] == 0 else {
            throw VaultError(.damaged, object: name, "its header is not valid")
        }
        self.type = type
        keyVersion = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        repository = Array(bytes[16..<32])
        salt = Array(bytes[32..<64])
        commitment = Array(bytes[64..<96])
    }

    package var bytes: [UInt8] {
        var bytes = Self.magic
        bytes.reserveCapacity(Self.length)
        bytes += [type.rawValue, Self.version, 0, 0]
        withUnsafeBytes(of: keyVersion.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes + repository + salt + commitment
    }
}
