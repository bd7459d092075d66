#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A file being written under a temporary name; `commit` gives it its final one, dropping it removes it.
///
/// Nothing is synced: the simulator's data survives its own restart, not a power cut.
final class BlobFile {
    private let directory: String
    private let name: String
    private var descriptor: Int32

    init(directory: String, name: String) throws {
        self.directory = directory
        self.name = name
        let path = directory + "/" + name + ".tmp"
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw StorageError.file(operation: "create", path: path, errno: errno) }
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            unlink(temporaryPath)
        }
    }

    private var temporaryPath: String { directory + "/" + name + ".tmp" }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = systemWrite(descriptor, rest.baseAddress!, rest.count)
            guard written >= 0 else {
                if errno == EINTR { continue }
                throw StorageError.file(operation: "write", path: temporaryPath, errno: errno)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    func commit() throws -> FileBlob {
        let path = directory + "/" + name
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(path + ".tmp", path) == 0 else {
            let failure = StorageError.file(operation: "rename", path: path + ".tmp", errno: errno)
            unlink(path + ".tmp")
            throw failure
        }
        return FileBlob(path: path, name: name)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
    #else
        Darwin.write(descriptor, bytes, count)
    #endif
}
