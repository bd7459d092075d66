package import ObjectStores

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Small files that hold credentials: keys, certificates, tokens that somebody else renews.
package enum CredentialFile {
    /// The file's bytes. Errors name it and never quote it.
    ///
    /// - Parameters:
    ///   - purpose: what the file is, for the message: "the certificate".
    ///   - limit: a longer file is refused, and so is a pipe that would not end.
    package static func contents(_ path: String, purpose: String, limit: Int = 1 << 20) throws(StoreError) -> [UInt8] {
        func failed(_ what: String) -> StoreError {
            StoreError(
                .unauthenticated, .head,
                message: "\(purpose) \(path) cannot be \(what): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failed("opened") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failed("read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw StoreError(
                    .unauthenticated, .head, message: "\(purpose) \(path) is larger than \(limit) bytes and not read")
            }
        }
    }
}
