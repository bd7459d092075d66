import CKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An open file or directory, closed when its owner goes.
final class FileDescriptor: Sendable {
    let number: Int32
    private let isClosed = Atomic(false)

    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close()
    }

    /// Closes it before its owner goes; nothing else may be asked of it then. A failed close of a file that was synchronised loses
    /// nothing, and of one that was not nothing that was promised.
    func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { posixClose(number) }
    }

    /// Opens a path below this directory; never follows a symbolic link and never leaves the directory. Empty means the directory itself.
    func open(_ path: [UInt8], _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try Errno.take(path.withCPath { lockstep_open_beneath(number, $0, flags, mode) }))
    }

    func openDirectory(_ path: [UInt8]) throws(Errno) -> FileDescriptor {
        try open(path, O_RDONLY | O_DIRECTORY)
    }

    func facts() throws(Errno) -> FileFacts {
        var facts = lockstep_file_facts()
        try Errno.take(lockstep_file_facts(number, &facts))
        return FileFacts(facts)
    }

    /// Of a name in this directory; nil when there is none. A symbolic link is not followed.
    func facts(of name: [UInt8]) throws(Errno) -> FileFacts? {
        var facts = lockstep_file_facts()
        let result = name.withCPath { lockstep_file_facts_at(number, $0, &facts) }
        if result == -ENOENT { return nil }
        try Errno.take(result)
        return FileFacts(facts)
    }

    func makeDirectory(_ name: [UInt8]) throws(Errno) {
        try Errno.check { name.withCPath { mkdirat(number, $0, 0o777) } }
    }

    func removeFile(_ name: [UInt8]) throws(Errno) {
        try Errno.check { name.withCPath { unlinkat(number, $0, 0) } }
    }

    func removeDirectory(_ name: [UInt8]) throws(Errno) {
        try Errno.check { name.withCPath { unlinkat(number, $0, Int32(AT_REMOVEDIR)) } }
    }

    func rename(_ name: [UInt8], to directory: FileDescriptor, _ newName: [UInt8]) throws(Errno) {
        try Errno.check { name.withCPath { old in newName.withCPath { renameat(number, old, directory.number, $0) } } }
    }

    /// Throws `.exists` when the new name is taken.
    func renameExclusively(_ name: [UInt8], to directory: FileDescriptor, _ newName: [UInt8]) throws(Errno) {
        try Errno.take(
            name.withCPath { old in newName.withCPath { lockstep_rename_exclusively(number, old, directory.number, $0) }
            })
    }

    /// Returns when everything written to the file, or every name changed in the directory, is on the disk.
    func synchronize() throws(Errno) {
        try Errno.check { fsync(number) }
    }

    /// Fills the region from the file; fewer bytes only at the file's end.
    func read(into region: UnsafeMutableRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
        var done = 0
        while done < region.count {
            let count = try Errno.check {
                pread(number, region.baseAddress! + done, region.count - done, off_t(offset) + off_t(done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ region: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        var done = 0
        while done < region.count {
            done += try Errno.check {
                pwrite(number, region.baseAddress! + done, region.count - done, off_t(offset) + off_t(done))
            }
        }
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(Errno) {
        let failure = bytes.withUnsafeBytes { region in Errno.of { () throws(Errno) in try write(region, at: offset) } }
        if let failure { throw failure }
    }

    /// The whole file, which has at most `limit` bytes; more is an error, since nobody who means well wrote it.
    func contents(limit: Int) throws(Errno) -> [UInt8] {
        let size = try facts().size
        guard size <= Int64(limit) else { throw Errno(EFBIG) }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var arrived = 0
        let failure = bytes.withUnsafeMutableBytes { region in
            Errno.of { () throws(Errno) in arrived = try read(into: region, at: 0) }
        }
        if let failure { throw failure }
        bytes.removeLast(bytes.count - arrived)
        return bytes
    }

    /// A file for `writeDirectly`. Throws where the file system knows no such thing.
    func openDirect(_ path: [UInt8]) throws(Errno) -> FileDescriptor {
        try open(path, O_WRONLY | lockstep_open_direct())
    }

    /// Places and counts that a write around the page cache may have.
    private static let directUnit = 4096

    /// Writes around the page cache. False, with nothing of consequence written, when region or place do not allow it.
    func writeDirectly(_ region: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Bool {
        let unit = Self.directUnit
        guard Int(bitPattern: region.baseAddress) % unit == 0, region.count % unit == 0, offset % Int64(unit) == 0
        else {
            return false
        }
        do throws(Errno) {
            try write(region, at: offset)
            return true
        } catch {
            guard error == Errno(EINVAL) else { throw error }
            return false
        }
    }

    /// Reserves the room and sets the size.
    func preallocate(_ size: Int64) throws(Errno) {
        try Errno.take(lockstep_preallocate(number, size))
    }

    /// Lets the disk begin with a range, so that there is less to wait for at the end.
    func startWriteback(_ offset: Int64, _ count: Int64) {
        lockstep_start_writeback(number, offset, count)
    }
}

/// The method has the name of the function.
private func posixClose(_ number: Int32) { close(number) }

extension [UInt8] {
    /// The path as C takes it. Names from keys have no NUL: the coding escapes it.
    func withCPath<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { buffer in
            for (index, byte) in enumerated() { buffer[index] = CChar(bitPattern: byte) }
            buffer[count] = 0
            return body(UnsafePointer(buffer.baseAddress!))
        }
    }
}
