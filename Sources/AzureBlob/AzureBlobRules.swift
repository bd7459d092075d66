import ObjectStores
import ReplicationModel

/// What Azure Blob Storage holds: names that the service leaves as they are, attributes that fit in headers, 8 KiB of
/// user metadata.
///
/// Names that the service changes silently are refused, because two keys would become one blob: it reads `\` as `/`,
/// takes `.` and `..` segments out of the path (also when they are percent-encoded), and cuts dots off the ends of
/// segments. Control characters it documents as not allowed. Empty segments (`//`) and slashes at both ends are kept by
/// accounts without a hierarchical namespace. Source: Azure/azure-sdk-for-rust issue 5275,
/// Azure/azure-sdk-for-java issue 36674, Azure/azure-sdk-for-python pull request 48883.
struct AzureBlobRules: ObjectRules {
    /// UTF-16 units, as the service counts.
    static let nameLimit = 1024
    static let segmentLimit = 254
    /// Sum of the bytes of names and values as they are sent.
    static let metadataLimit = 8 << 10
    /// Of one header field; the service refuses more than 64 KiB of them together.
    static let headerLimit = 8 << 10

    func problem(with key: ObjectKey) -> String? {
        if key.isEmpty { return "the key is empty" }
        guard let name = key.utf8 else { return "the key is not UTF-8 text, which Azure requires" }
        if key.bytes.count > Self.nameLimit, name.utf16.count > Self.nameLimit {
            return "the key has \(name.utf16.count) characters; Azure holds at most \(Self.nameLimit)"
        }
        var segments = 1
        var previous = UInt8(ascii: "/")
        for byte in key.bytes {
            switch byte {
            case UInt8(ascii: "/"):
                segments += 1
                if previous == UInt8(ascii: ".") { return Self.trailingDot }
            case UInt8(ascii: "\\"): return "the key has a backslash, which Azure would store as a slash"
            case 0..<0x20, 0x7F: return Self.controlCharacter
            // U+0080 to U+009F in UTF-8.
            case 0x80...0x9F where previous == 0xC2: return Self.controlCharacter
            default: break
            }
            previous = byte
        }
        if previous == UInt8(ascii: ".") { return Self.trailingDot }
        if segments > Self.segmentLimit {
            return "the key has \(segments) segments; Azure holds at most \(Self.segmentLimit)"
        }
        return nil
    }

    private static let trailingDot = "a segment of the key ends in a dot, which Azure would cut off"
    private static let controlCharacter = "the key has a control character, which Azure does not allow"

    func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) {
        var kept = ObjectAttributes()
        var dropped: [String] = []
        func header(_ name: String, _ value: String?) -> String? {
            guard let value, !value.isEmpty else { return nil }
            if value.utf8.count <= Self.headerLimit, AzureMetadataNames.isHeaderText(value) { return value }
            dropped.append(name)
            return nil
        }
        kept.contentType = header("Content-Type", attributes.contentType)
        kept.contentEncoding = header("Content-Encoding", attributes.contentEncoding)
        kept.contentLanguage = header("Content-Language", attributes.contentLanguage)
        kept.contentDisposition = header("Content-Disposition", attributes.contentDisposition)
        kept.cacheControl = header("Cache-Control", attributes.cacheControl)
        guard !attributes.userMetadata.isEmpty else { return (kept, dropped) }
        var room = Self.metadataLimit
        for (name, value) in attributes.userMetadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
        {
            // Azure tells no case apart, so that two names can become one: the first in byte order stays.
            let folded = AzureMetadataNames.fold(name)
            let size = AzureMetadataNames.encode(folded).utf8.count + AzureMetadataNames.encodeValue(value).utf8.count
            guard !name.isEmpty, kept.userMetadata[folded] == nil, size <= room else {
                dropped.append(name)
                continue
            }
            room -= size
            kept.userMetadata[folded] = value
        }
        return (kept, dropped)
    }
}
