import ObjectStores
package import ReplicationModel

/// What S3 holds: keys of 1 to 1,024 UTF-8 bytes, attributes that fit in header fields, 2 KB of user metadata.
package struct S3Rules: ObjectRules {
    /// Amazon's own service refuses some keys that its clones take.
    var isAWS: Bool
    /// Whether the bucket is in the host name.
    var isVirtualHost: Bool

    package init(isAWS: Bool, isVirtualHost: Bool) {
        self.isAWS = isAWS
        self.isVirtualHost = isVirtualHost
    }

    static let keyLimit = 1024
    /// Sum of the bytes of names and values.
    static let metadataLimit = 2048
    /// Of one header field; a service refuses more than 8 KB of them together.
    static let headerLimit = 2048

    package func problem(with key: ObjectKey) -> String? {
        if key.isEmpty { return "the key is empty" }
        if key.bytes.count > Self.keyLimit {
            return "the key has \(key.bytes.count) bytes; S3 holds at most \(Self.keyLimit)"
        }
        if key.utf8 == nil { return "the key is not UTF-8 text, which S3 requires" }
        if isAWS, Self.climbsOut(key) { return "the key leads above its bucket with `..`, which S3 refuses" }
        if isAWS, isVirtualHost, key.bytes == Array("soap".utf8) {
            return "S3 reserves the key `soap`; use path-style addressing"
        }
        return nil
    }

    /// Whether, from the left, `..` ever outnumbers the names before it.
    private static func climbsOut(_ key: ObjectKey) -> Bool {
        var depth = 0
        for segment in key.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if segment.elementsEqual("..".utf8) {
                depth -= 1
            } else if !segment.isEmpty, !segment.elementsEqual(".".utf8) {
                depth += 1
            }
            if depth < 0 { return true }
        }
        return false
    }

    package func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) {
        var kept = ObjectAttributes()
        var dropped: [String] = []
        func header(_ name: String, _ value: String?) -> String? {
            guard let value else { return nil }
            if value.utf8.count <= Self.headerLimit, !value.isEmpty, Self.isHeaderText(value) { return value }
            dropped.append(name)
            return nil
        }
        kept.contentType = header("Content-Type", attributes.contentType)
        kept.contentEncoding = header("Content-Encoding", attributes.contentEncoding)
        kept.contentLanguage = header("Content-Language", attributes.contentLanguage)
        kept.contentDisposition = header("Content-Disposition", attributes.contentDisposition)
        kept.cacheControl = header("Cache-Control", attributes.cacheControl)
        var room = Self.metadataLimit
        for (name, value) in attributes.userMetadata.sorted(by: {
            Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8))
        }) {
            // S3 keeps names in lower case, so that two of them can become one.
            let folded = name.lowercased()
            let size = folded.utf8.count + value.utf8.count
            guard Self.isToken(folded), kept.userMetadata[folded] == nil, S3Metadata.canHold(value), size <= room else {
                dropped.append(name)
                continue
            }
            room -= size
            kept.userMetadata[folded] = value
        }
        return (kept, dropped)
    }

    /// Printable ASCII without blanks at the ends: what a header field carries unchanged. No line breaks, so nothing
    /// can add a header.
    static func isHeaderText(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.first != 0x20 && text.utf8.last != 0x20
    }

    /// The name of a header field (RFC 9110, 5.6.2).
    private static func isToken(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
