import ReplicationModel
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The directory of one store for files that are not finished: `.lockstep/tmp/ID` below the root, on the same file system.
///
/// It is locked as long as its process lives; what dead processes have left is removed when the next store starts to write.
final class FileScratch: Sendable {
    static let temporaries = Array(".lockstep/tmp".utf8)
    static let uploads = Array(".lockstep/uploads".utf8)

    let directory: FileDescriptor
    /// Whether the file system takes two different names for one: it ignores case or normalises Unicode.
    let foldsNames: Bool
    /// Names this store in the part tables of uploads.
    let id: UInt64
    private let tree: FileDescriptor
    private let name: [UInt8]
    private let counter = Atomic(0)

    init(in tree: FileTree) throws(FileFailure) {
        do throws(Errno) {
            let temporaries = try Self.make(Self.temporaries, in: tree.directory)
            let (directory, id) = try Self.claim(in: temporaries)
            self.directory = directory
            self.id = id
            name = Self.name(id)
            foldsNames = try FoldedNames.isFolding(directory)
            self.tree = tree.directory
            Self.sweep(temporaries, except: name)
        } catch {
            throw FileFailure(error, "making the directory for unfinished files", tree.text(Self.temporaries))
        }
    }

    deinit {
        // Best effort, and the next store sweeps: directories that others use are not empty and stay.
        for path in [Self.temporaries + [UInt8(ascii: "/")] + name, Self.temporaries, Self.uploads, FileNames.reserved]
        {
            _ = Errno.of { () throws(Errno) in try tree.removeDirectory(path) }
        }
    }

    /// A new file, open for writing, that nobody else knows.
    func makeFile() throws(Errno) -> (name: [UInt8], file: FileDescriptor) {
        let name = newName()
        return (name, try directory.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o666))
    }

    /// A name that no file here has had.
    func newName() -> [UInt8] {
        Array(String(counter.wrappingAdd(1, ordering: .relaxed).newValue).utf8)
    }

    /// Removes what a failed write has left; what cannot be removed now is swept later.
    func discard(_ name: [UInt8]) {
        _ = Errno.of { () throws(Errno) in try directory.removeFile(name) }
    }

    /// A directory and all above it, below the root.
    static func make(_ path: [UInt8], in root: FileDescriptor) throws(Errno) -> FileDescriptor {
        var current = root
        for name in path.split(separator: UInt8(ascii: "/")) {
            let failure = Errno.of { () throws(Errno) in try current.makeDirectory(Array(name)) }
            if let failure, failure != .exists { throw failure }
            current = try current.openDirectory(Array(name))
        }
        return current
    }

    /// A fresh directory, locked by this process.
    private static func claim(in temporaries: FileDescriptor) throws(Errno) -> (FileDescriptor, UInt64) {
        var failure = Errno.exists
        for _ in 0..<16 {
            let id = UInt64.random(in: 1...UInt64.max)
            do throws(Errno) {
                try temporaries.makeDirectory(name(id))
                let directory = try temporaries.openDirectory(name(id))
                // Where directories cannot be locked, nobody sweeps either.
                let lock = Errno.of { () throws(Errno) in try Errno.check { flock(directory.number, LOCK_EX | LOCK_NB) }
                }
                if lock?.code == EWOULDBLOCK { throw Errno.exists }
                // Another process may have swept it between making and locking.
                if try temporaries.facts(of: name(id))?.inode == directory.facts().inode { return (directory, id) }
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func name(_ id: UInt64) -> [UInt8] { Array(String(id, radix: 16).utf8) }

    /// Removes the directories whose processes have ended. Best effort: what is left is harmless and found again.
    private static func sweep(_ temporaries: FileDescriptor, except own: [UInt8]) {
        _ = Errno.of { () throws(Errno) in
            for entry in try DirectoryReader.read(temporaries) where entry.name != own {
                _ = Errno.of { () throws(Errno) in try removeAbandoned(entry.name, in: temporaries) }
            }
        }
    }

    private static func removeAbandoned(_ name: [UInt8], in temporaries: FileDescriptor) throws(Errno) {
        let directory = try temporaries.openDirectory(name)
        guard flock(directory.number, LOCK_EX | LOCK_NB) == 0 else { return }
        for entry in try DirectoryReader.read(directory) {
            if try directory.facts(of: entry.name)?.kind == .directory {
                try removeFlat(entry.name, in: directory)
            } else {
                try directory.removeFile(entry.name)
            }
        }
        try temporaries.removeDirectory(name)
    }

    /// Removes a directory that holds files only.
    static func removeFlat(_ name: [UInt8], in parent: FileDescriptor) throws(Errno) {
        let directory = try parent.openDirectory(name)
        for file in try DirectoryReader.read(directory) { try directory.removeFile(file.name) }
        try parent.removeDirectory(name)
    }
}
