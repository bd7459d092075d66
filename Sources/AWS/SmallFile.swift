import ObjectStores

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Reads the small files that hold tokens. Messages name the file and never quote it.
enum SmallFile {
    /// Far above any token or cache entry.
    private static let sizeLimit = 1 << 20

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
        func failed(_ what: String) -> StoreError {
            .credentials("\(name) \(path) cannot be \(what): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failed("opened")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failed("read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= sizeLimit else {
                throw .credentials("\(name) \(path) is larger than \(sizeLimit) bytes and not read")
            }
        }
    }
}
