import HTTPStores
import ObjectStores

/// Reads the small files that hold tokens. Messages name the file and never quote it.
enum SmallFile {
    /// The file's text without blanks and line breaks around it.
    static func text(_ path: String, called name: String) throws(StoreError) -> String {
        let text = String(decoding: try bytes(path, called: name), as: UTF8.self)
        var trimmed = text[...]
        while let last = trimmed.last, last.isWhitespace { trimmed.removeLast() }
        return String(trimmed.drop { $0.isWhitespace })
    }

    static func bytes(_ path: String, called name: String) throws(StoreError) -> [UInt8] {
        guard let bytes = try bytesIfThere(path, called: name) else {
            throw .credentials("\(name) \(path) does not exist")
        }
        return bytes
    }

    /// nil when the file does not exist.
    static func bytesIfThere(_ path: String, called name: String) throws(StoreError) -> [UInt8]? {
        try CredentialFile.contentsIfThere(path, purpose: name)
    }
}
