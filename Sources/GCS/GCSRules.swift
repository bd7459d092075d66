import ObjectStores
import ReplicationModel

/// What Cloud Storage holds: names of 1 to 1,024 UTF-8 bytes, attributes without line breaks, 8 KiB of metadata in
/// any UTF-8.
struct GCSRules: ObjectRules {
    static let keyLimit = 1024
    /// Sum of the bytes of names and values.
    static let metadataLimit = 8192
    static let headerLimit = 2048

    private static let reservedPrefix = ObjectKey(".well-known/acme-challenge/")

    func problem(with key: ObjectKey) -> String? {
        if key.isEmpty { return "the name is empty" }
        if key.bytes.count > Self.keyLimit {
            return "the name has \(key.bytes.count) bytes; Cloud Storage holds at most \(Self.keyLimit)"
        }
        if key.utf8 == nil { return "the name is not UTF-8 text, which Cloud Storage requires" }
        if key.bytes.contains(0x0A) || key.bytes.contains(0x0D) {
            return "the name has a line break, which Cloud Storage refuses"
        }
        if key == "." || key == ".." { return "Cloud Storage refuses the names `.` and `..`" }
        if key.hasPrefix(Self.reservedPrefix) { return "Cloud Storage refuses names below \(Self.reservedPrefix)" }
        return nil
    }

    func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) {
        var kept = ObjectAttributes()
        var dropped: [String] = []
        func header(_ name: String, _ value: String?) -> String? {
            guard let value else { return nil }
            if !value.isEmpty, value.utf8.count <= Self.headerLimit,
                !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            {
                return value
            }
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
            let size = name.utf8.count + value.utf8.count
            guard !name.isEmpty, size <= room else {
                dropped.append(name)
                continue
            }
            room -= size
            kept.userMetadata[name] = value
        }
        return (kept, dropped)
    }
}
