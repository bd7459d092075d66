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
        guard let bytes = try contentsIfThere(path, purpose: purpose, limit: limit) else {
            throw failed(purpose, path, "cannot be opened: \(String(cString: strerror(ENOENT)))")
        }
        return bytes
    }

    /// The same; nil when there is no such file.
    package static func contentsIfThere(
        _ path: String, purpose: String, limit: Int = 1 << 20
    ) throws(StoreError) -> [UInt8]? {
        do throws(Unreadable) { return try bytes(of: path, limit: limit) } catch {
            throw failed(purpose, path, error.reason)
        }
    }

    /// Why a file cannot be read: what comes after its name in a message.
    package struct Unreadable: Error {
        package let reason: String

        init(_ reason: String) { self.reason = reason }
    }

    /// The same for those whose errors say more; waits ten seconds at most for a pipe that gives nothing.
    package static func bytes(of path: String, limit: Int) throws(Unreadable) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Unreadable("cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&wanted, 1, pipePatience) != 0 else { throw Unreadable("is a pipe that gives nothing") }
                continue
            }
            guard count >= 0 else { throw Unreadable("cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw Unreadable("is larger than \(limit) bytes and not read") }
        }
    }

    /// Milliseconds.
    private static let pipePatience: Int32 = 10_000

    /// The file's bytes for somebody who only looks whether it can be used.
    ///
    /// - Parameter setting: the key that named it.
    package static func inspected(
        _ path: String, _ setting: String?, purpose: String, limit: Int = 1 << 20
    ) throws(SettingError) -> [UInt8] {
        do throws(RegularFile.Failure) {
            return try RegularFile.prefix(path, limit)
        } catch {
            throw SettingError(setting, message: "\(purpose) \(path) cannot be read: \(error)", dependsOnMachine: true)
        }
    }

    private static func failed(_ purpose: String, _ path: String, _ what: String) -> StoreError {
        StoreError(.unauthenticated, .head, message: "\(purpose) \(path) \(what)")
    }
}
