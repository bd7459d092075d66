import Cryptography
import Digests
import ObjectStores
import ReplicationModel

/// The store's handle of an upload, as it is kept in the session.
enum GCSUploadHandle: Hashable, Sendable {
    /// An upload of the XML API to a temporary name.
    case multipart(id: String)
    /// A resumable session: path and query of its URI, which is a secret, and the condition that it was opened under.
    case resumable(path: String, condition: WriteCondition)
    /// A temporary object whose upload was completed and that nobody moved to its name.
    case leftover(generation: Int64)

    init?(_ text: String) {
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, !halves[1].isEmpty else { return nil }
        switch halves[0] {
        case "multipart": self = .multipart(id: String(halves[1]))
        case "leftover":
            guard let generation = Int64(halves[1]) else { return nil }
            self = .leftover(generation: generation)
        case "resumable":
            let fields = halves[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard fields.count == 2, fields[1].hasPrefix("/") else { return nil }
            let condition: WriteCondition =
                switch fields[0] {
                case "any": .unconditional
                case "absent": .absent
                default: .matches(VersionToken(String(fields[0])))
                }
            self = .resumable(path: String(fields[1]), condition: condition)
        default: return nil
        }
    }

    var text: String {
        switch self {
        case .multipart(let id): "multipart:\(id)"
        case .leftover(let generation): "leftover:\(generation)"
        case .resumable(let path, .unconditional): "resumable:any:\(path)"
        case .resumable(let path, .absent): "resumable:absent:\(path)"
        case .resumable(let path, .matches(let version)): "resumable:\(version):\(path)"
        }
    }
}

/// The temporary names that uploads of the XML API write to: `.lockstep/uploads/RANDOM/KEY`.
///
/// The random part keeps everybody else from the name; the key tells to whom an abandoned upload belongs. A key that
/// makes the name longer than the service takes is left out.
enum GCSStaging {
    static let prefix = ObjectKey(".lockstep/uploads/")
    private static let randomBytes = 16

    static func key(for key: ObjectKey) -> ObjectKey {
        let random = prefix + ObjectKey(Hex.encode(SecureRandom.bytes(randomBytes)))
        let whole = random + "/" + key
        return whole.bytes.count <= GCSRules.keyLimit ? whole : random
    }

    /// The key that the temporary name was made for, or the name itself where it does not tell; nil for names of
    /// others.
    static func finalKey(of staging: ObjectKey) -> ObjectKey? {
        guard staging.hasPrefix(prefix) else { return nil }
        let rest = staging.bytes.dropFirst(prefix.bytes.count)
        let digits = 2 * randomBytes
        guard rest.count >= digits, Hex.decode(String(decoding: rest.prefix(digits), as: UTF8.self)) != nil else {
            return nil
        }
        let key = rest.dropFirst(digits)
        if key.isEmpty { return staging }
        return key.first == UInt8(ascii: "/") && key.count > 1 ? ObjectKey(Array(key.dropFirst())) : nil
    }
}
