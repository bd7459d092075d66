import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Small files of the state directory: read whole, and written so that nobody ever sees half of one.
struct StateFile {
    let path: String
    private static let maxBytes = 64 << 10

    /// nil when there is no file.
    func read() throws -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("cannot be read")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let room = buffer.count
            let count = buffer.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, room) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("cannot be read") }
            guard count > 0 else { break }
            bytes += buffer[..<count]
            guard bytes.count <= Self.maxBytes else {
                throw ManifestError(.badState, "\(path) is larger than such a file can be")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ManifestError(.badState, "\(path) is not text")
        }
        return text
    }

    /// Replaces the file.
    func write(_ text: String, mode: mode_t = 0o600) throws {
        let temporary = try writeTemporary(text, mode)
        guard rename(temporary, path) == 0 else {
            let error = failure("cannot be written")
            unlink(temporary)
            throw error
        }
        try syncDirectory()
    }

    /// Writes the file only if there is none.
    /// - Returns: whether it was written.
    func create(_ text: String, mode: mode_t = 0o600) throws -> Bool {
        let temporary = try writeTemporary(text, mode)
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 else {
            if errno == EEXIST { return false }
            throw failure("cannot be written")
        }
        try syncDirectory()
        return true
    }

    /// Permission bits.
    func mode() throws -> mode_t {
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw failure("cannot be looked at") }
        return facts.st_mode & 0o7777
    }

    private func writeTemporary(_ text: String, _ mode: mode_t) throws -> String {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if mkdir(directory, 0o700) != 0, errno != EEXIST, errno != ENOENT { throw failure("has no directory") }
        var template = Array((path + ".XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure("cannot be written") }
        let temporary = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let isWritten =
            fchmod(descriptor, mode) == 0
            && Array(text.utf8).withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = Foundation.write(
                        descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return false }
                    rest = rest.dropFirst(count)
                }
                return true
            } && fsync(descriptor) == 0
        let error = failure("cannot be written")
        close(descriptor)
        guard isWritten else {
            unlink(temporary)
            throw error
        }
        return temporary
    }

    private func syncDirectory() throws {
        let directory = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { throw failure("cannot be made durable") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure("cannot be made durable") }
    }

    private func failure(_ what: String) -> ManifestError {
        ManifestError(.badState, "\(path) \(what): \(String(cString: strerror(errno)))")
    }
}
