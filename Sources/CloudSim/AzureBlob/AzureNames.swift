/// Which names the service takes for containers, blobs and metadata.
enum AzureNames {
    /// 3 to 63 lower-case letters, digits and single hyphens, beginning and ending with a letter or digit; or `$root`, `$web`, `$logs`.
    static func checkContainer(_ name: String) throws(AzureError) {
        if name == "$root" || name == "$web" || name == "$logs" { return }
        guard (3...63).contains(name.utf8.count) else { throw .resourceNameLength }
        var previous = UInt8(ascii: "-")
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "-") where previous != UInt8(ascii: "-"): break
            default: throw .invalidResourceName
            }
            previous = byte
        }
        guard previous != UInt8(ascii: "-") else { throw .invalidResourceName }
    }

    static let maximumBlobCharacters = 1_024
    static let maximumBlobSegments = 254

    /// 1 to 1,024 characters (UTF-16 units, as the service counts) in at most 254 segments.
    static func checkBlob(_ name: ObjectName) throws(AzureError) {
        guard let text = String(validating: name.bytes, as: UTF8.self) else { throw .invalidURI }
        guard text.utf8.count <= maximumBlobCharacters || text.utf16.count <= maximumBlobCharacters else {
            throw .invalidURI
        }
        let separators = name.bytes.reduce(0) { $1 == UInt8(ascii: "/") ? $0 + 1 : $0 }
        guard separators < maximumBlobSegments else { throw .invalidURI }
    }

    static let maximumMetadataBytes = 8 * 1_024

    /// Names are C# identifiers (in ASCII), unique when case is ignored; names and values take 8 KiB at most.
    static func checkMetadata(_ items: [MetadataItem]) throws(AzureError) {
        var total = 0
        var seen = Set<String>()
        for item in items {
            guard !item.name.isEmpty else { throw .emptyMetadataKey }
            guard isIdentifier(item.name), item.value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }) else {
                throw .invalidMetadata
            }
            guard seen.insert(item.name.lowercased()).inserted else { throw .invalidMetadata }
            total += item.name.utf8.count + item.value.utf8.count
        }
        guard total <= maximumMetadataBytes else { throw .metadataTooLarge }
    }

    private static func isIdentifier(_ name: String) -> Bool {
        var isFirst = true
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9") where !isFirst: break
            default: return false
            }
            isFirst = false
        }
        return true
    }
}
