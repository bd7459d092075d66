import Cryptography
import Digests

/// The content of `key/<n>`: all slots, on two lines of JSON. The second holds the BLAKE3 of the first (so that anybody can see damage) and
/// its code under the ring's slots key (so that nobody without a key can add a slot).
struct KeySlotList: Sendable {
    let sequence: UInt64
    /// The digest of `format` as stored.
    let format: String
    /// `KeyRing.newestID` of the ring in the slots.
    let rootKey: String
    let slots: [KeySlot]
    /// As stored.
    let bytes: [UInt8]
    private let code: String

    static let maxSlots = 32
    /// Bytes of the object, at most.
    static let maxLength = 1 << 20

    private static let magic = "lockstep vault keys"
    private static let version = 1

    private struct Envelope: Decodable {
        let magic: String
        let version: Int
    }

    private struct Content: Codable {
        let magic: String
        let version: Int
        let sequence: UInt64
        let format: String
        let rootKey: String
        let slots: [KeySlot]
    }

    private struct Seal: Codable {
        let blake3: String
        let code: String
    }

    init(sequence: UInt64, format: String, slots: [KeySlot], keys: KeyRing) {
        precondition((1...Self.maxSlots).contains(slots.count), "a vault has 1 to \(Self.maxSlots) key slots")
        self.sequence = sequence
        self.format = format
        self.slots = slots
        rootKey = keys.newestID
        let line = VaultJSON.encode(
            Content(
                magic: Self.magic, version: Self.version, sequence: sequence, format: format, rootKey: rootKey,
                slots: slots))
        code = keys.code(of: line)
        bytes = line + VaultJSON.encode(Seal(blake3: Self.hash(line), code: code))
    }

    init(decoding bytes: [UInt8], sequence: UInt64) throws(VaultError) {
        let name = VaultName.key(sequence)
        let line = Self.firstLine(bytes)
        let envelope = try VaultJSON.decode(Envelope.self, line, name: name)
        guard envelope.magic == Self.magic else { throw VaultError(.damaged, object: name, "holds no key slots") }
        guard envelope.version == Self.version else {
            throw VaultError(
                .newerFormat, object: name,
                "is of version \(envelope.version), this program knows version \(Self.version): use a newer one")
        }
        let seal = try VaultJSON.decode(Seal.self, bytes.dropFirst(line.count), name: name)
        guard seal.blake3 == Self.hash(line) else {
            throw VaultError(.damaged, object: name, "its bytes differ from the checksum at its end: it was changed")
        }
        let content = try VaultJSON.decode(Content.self, line, name: name)
        guard content.sequence == sequence, (1...Self.maxSlots).contains(content.slots.count) else {
            throw VaultError(.damaged, object: name, "is not what its name says")
        }
        self.sequence = sequence
        format = content.format
        rootKey = content.rootKey
        slots = content.slots
        self.bytes = bytes
        code = seal.code
    }

    /// Throws unless somebody who had the keys wrote the list, with the slots as they are.
    func verify(_ keys: KeyRing) throws(VaultError) {
        guard ConstantTime.equal(keys.code(of: Self.firstLine(bytes)).utf8, code.utf8) else {
            throw VaultError(
                .damaged, object: VaultName.key(sequence), "was written by somebody who does not have the vault's keys")
        }
    }

    private static func firstLine(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.prefix { $0 != UInt8(ascii: "\n") }) + [UInt8(ascii: "\n")]
    }

    private static func hash(_ line: [UInt8]) -> String {
        line.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) }
    }
}
