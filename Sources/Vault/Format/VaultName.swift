import Digests
import ReplicationModel

/// One writer's work between two commits: its packs, index segments and pages lie in folders of this name.
///
/// `SSSSSSSSSSSSSSSS-RRRRRRRRRRRRRRRR`: the sequence of the root it began from, then random, both as 16 hex digits. A root's `fence`
/// names the first sequence from which sessions may still commit: that is how garbage collection ends those that crashed.
package struct SessionName: Hashable, Sendable, Codable, CustomStringConvertible {
    package let text: String

    package init(base: UInt64, random: [UInt8]) {
        precondition(random.count == 8, "a session's name has 8 random bytes")
        let digits = String(base, radix: 16)
        text = String(repeating: "0", count: 16 - digits.utf8.count) + digits + "-" + Hex.encode(random)
    }

    /// nil when it is none.
    package init?(_ text: some StringProtocol) {
        let fields = text.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count == 2, fields.allSatisfy({ $0.utf8.count == 16 && Hex.decode(String($0)) != nil }),
            text == text.lowercased()
        else { return nil }
        self.text = String(text)
    }

    /// The sequence of the root that the session began from.
    package var base: UInt64 { UInt64(text.prefix(16), radix: 16)! }

    package var description: String { text }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let name = SessionName(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no name of a session")
        }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// The names of all objects of a vault, relative to its location.
package enum VaultName {
    package static let format = "format"
    package static let keyPrefix = "key/"
    package static let rootPrefix = "root/"
    package static let packPrefix = "pack/"
    package static let indexPrefix = "index/"
    package static let pagePrefix = "snap/"

    package static func key(_ sequence: UInt64) -> String { keyPrefix + decimal(sequence) }
    package static func root(_ sequence: UInt64) -> String { rootPrefix + decimal(sequence) }
    /// `id`: 16 random bytes.
    package static func pack(_ session: SessionName, _ id: [UInt8]) -> String {
        "\(packPrefix)\(session)/\(Hex.encode(id))"
    }
    package static func index(_ session: SessionName, _ id: [UInt8]) -> String {
        "\(indexPrefix)\(session)/\(Hex.encode(id))"
    }
    package static func page(_ session: SessionName, _ id: [UInt8]) -> String {
        "\(pagePrefix)\(session)/\(Hex.encode(id))"
    }

    /// The sequence at the end of a name of the key or root log; nil when the name is none.
    package static func sequence(of name: String, prefix: String) -> UInt64? {
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.dropFirst(prefix.count)
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return UInt64(digits)
    }

    /// Session and id of a pack, index segment or page; nil when the name is none.
    package static func parts(of name: String, prefix: String) -> (session: SessionName, id: [UInt8])? {
        guard name.hasPrefix(prefix) else { return nil }
        let fields = name.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard fields.count == 2, let session = SessionName(fields[0]), let id = Hex.decode(String(fields[1])),
            id.count == 16
        else { return nil }
        return (session, id)
    }

    /// Whether a name is that of a pack, index segment or page.
    package static func isPart(_ name: String) -> Bool {
        [packPrefix, indexPrefix, pagePrefix].contains { parts(of: name, prefix: $0) != nil }
    }

    private static func decimal(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }
}

/// What a sealed object is; part of its key, so that none passes for another.
package enum SealedType: UInt8, Sendable, CaseIterable {
    case dataPack = 1
    case metadataPack = 2
    case root = 3
    case page = 4
    case index = 5
}
