import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file of the data directory that holds bytes of one or more objects; removed when the last of them is gone.
///
/// Reference counting is the garbage collection: copies and multipart objects share blobs. `keepsFile` is set when
/// the store closes, so that tearing down the process's objects does not delete their bytes.
package final class FileBlob: Sendable {
    package let path: String
    package let name: String
    private let keepsFile: Atomic<Bool>

    package init(path: String, name: String) {
        self.path = path
        self.name = name
        keepsFile = Atomic(false)
    }

    deinit {
        if !keepsFile.load(ordering: .relaxed) { unlink(path) }
    }

    package func keep() {
        keepsFile.store(true, ordering: .relaxed)
    }

    /// A descriptor of its own for one response; the receiver closes it.
    package func open() throws -> Int32 {
        let descriptor = openReadOnly(path)
        guard descriptor >= 0 else { throw StorageError.file(operation: "open", path: path, errno: errno) }
        return descriptor
    }

    func read(offset: Int, length: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let descriptor = try open()
        defer { close(descriptor) }
        let capacity = min(length, 1 << 20)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 64)
        defer { buffer.deallocate() }
        var position = offset
        while position < offset + length {
            let count = pread(
                descriptor, buffer.baseAddress!, min(capacity, offset + length - position), off_t(position))
            guard count > 0 else {
                throw StorageError.file(operation: "read", path: path, errno: count == 0 ? EIO : errno)
            }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            position += count
        }
    }
}

private func openReadOnly(_ path: String) -> Int32 {
    #if canImport(Glibc)
        Glibc.open(path, O_RDONLY | O_CLOEXEC)
    #else
        Darwin.open(path, O_RDONLY | O_CLOEXEC)
    #endif
}

/// What goes wrong in the simulator's storage.
package enum StorageError: Error, CustomStringConvertible {
    case file(operation: String, path: String, errno: Int32)
    case corruptMetadata(path: String, reason: String)

    package var description: String {
        switch self {
        case .file(let operation, let path, let errno):
            "cloudsim: \(operation) of \(path) failed: \(String(cString: strerror(errno)))"
        case .corruptMetadata(let path, let reason):
            "cloudsim: metadata file \(path) cannot be read: \(reason)"
        }
    }
}
