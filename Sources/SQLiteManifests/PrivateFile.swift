import Manifests

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Files that only their owner reads.
enum PrivateFile {
    /// Opens the file for reading and writing, and makes it first where there is none.
    static func open(_ path: String) throws(LedgerError) -> Int32 {
        #if canImport(Glibc)
            let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #else
            let descriptor = Darwin.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        #endif
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw LedgerError(
                .inaccessible, path: path,
                message: "cannot be opened: \(reason); check the path, or name another --state")
        }
        return descriptor
    }

    /// SQLite gives its log and its index the mode of the database.
    static func make(_ path: String) throws(LedgerError) {
        close(try open(path))
    }
}
