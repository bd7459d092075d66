package import ReplicationModel

/// What a directory tree holds: every key whose path a system call takes, and attributes as far as extended attributes go.
package struct FileRules: ObjectRules {
    /// Whether the file system keeps extended attributes of users.
    var keepsAttributes: Bool

    package func problem(with key: ObjectKey) -> String? {
        if key.isEmpty { return "the key is empty" }
        let length = FileNames.path(of: key).bytes.count
        if length > FileNames.pathLimit {
            return "the key needs a path of \(length) bytes; the system takes at most \(FileNames.pathLimit)"
        }
        return nil
    }

    package func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) {
        var kept = ObjectAttributes()
        var dropped: [String] = []
        var room = keepsAttributes ? FileAttributes.limit - FileAttributes.overhead : 0
        func take(_ name: String, _ value: String?, _ store: (String) -> Void) {
            guard let value else { return }
            let cost = FileAttributes.cost(of: name, value)
            guard cost <= room else { return dropped.append(name) }
            room -= cost
            store(value)
        }
        take("Content-Type", attributes.contentType) { kept.contentType = $0 }
        take("Content-Encoding", attributes.contentEncoding) { kept.contentEncoding = $0 }
        take("Content-Language", attributes.contentLanguage) { kept.contentLanguage = $0 }
        take("Content-Disposition", attributes.contentDisposition) { kept.contentDisposition = $0 }
        take("Cache-Control", attributes.cacheControl) { kept.cacheControl = $0 }
        for (name, value) in attributes.userMetadata.sorted(by: {
            Array($0.key.utf8).lexicographicallyPrecedes($1.key.utf8)
        }) {
            take(name, value) { kept.userMetadata[name] = $0 }
        }
        return (kept, dropped)
    }
}
