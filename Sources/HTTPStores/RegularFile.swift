#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A small file that is read whole without waiting for anybody: a pipe without a writer, a terminal or a device is refused and not
/// opened for long.
package enum RegularFile {
    /// Why a file is not read, without its path: `No such file or directory`, `is a directory`.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String

        fileprivate init(_ description: String) {
            self.description = description
        }

        fileprivate init(_ number: Int32) {
            description = String(cString: strerror(number))
        }
    }

    /// The file's bytes, at most so many.
    package static func prefix(_ path: String, _ limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw Failure(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure(errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Failure("it is a directory")
        case S_IFIFO: throw Failure("it is a pipe and no file")
        case S_IFSOCK: throw Failure("it is a socket and no file")
        default: throw Failure("it is a device and no file")
        }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: min(limit, 64 << 10))
        while bytes.count < limit {
            let count = read(descriptor, &piece, min(piece.count, limit - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(errno) }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return bytes
    }
}
