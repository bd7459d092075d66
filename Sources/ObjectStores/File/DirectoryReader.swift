#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The names in a directory, in the order of the file system.
enum DirectoryReader {
    struct Entry {
        var name: [UInt8]
        /// nil where the file system does not say: then only `facts` knows.
        var kind: FileFacts.Kind?
    }

    static func read(_ directory: FileDescriptor) throws(Errno) -> [Entry] {
        var entries: [Entry] = []
        try forEach(directory) { name, kind in entries.append(Entry(name: Array(name), kind: kind)) }
        return entries
    }

    /// Calls `body` with every name but `.` and `..`; the name is valid during the call.
    static func forEach(
        _ directory: FileDescriptor, _ body: (UnsafeBufferPointer<UInt8>, FileFacts.Kind?) throws(Errno) -> Void
    ) throws(Errno) {
        // A descriptor of its own: reading moves a position that all duplicates share.
        let own = try Errno.check { openat(directory.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = fdopendir(own) else {
            let failure = Errno(errno)
            close(own)
            throw failure
        }
        defer { closedir(stream) }
        let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name)!
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(errno) }
                return
            }
            let start = (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self)
            let name = UnsafeRawBufferPointer(start: start, count: strlen(start)).assumingMemoryBound(to: UInt8.self)
            if name.count <= 2, name.allSatisfy({ $0 == UInt8(ascii: ".") }) { continue }
            try body(name, kind(entry.pointee.d_type))
        }
    }

    private static func kind(_ type: UInt8) -> FileFacts.Kind? {
        switch Int(type) {
        case Int(DT_REG): .file
        case Int(DT_DIR): .directory
        case Int(DT_LNK): .symbolicLink
        case Int(DT_FIFO): .special("a pipe")
        case Int(DT_SOCK): .special("a socket")
        case Int(DT_CHR), Int(DT_BLK): .special("a device")
        default: nil
        }
    }
}
