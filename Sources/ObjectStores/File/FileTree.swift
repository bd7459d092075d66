import CKernels
import ReplicationModel
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An open root directory, and what can be done below it. All calls block; none follows a symbolic link or leaves the root.
final class FileTree: Sendable {
    let directory: FileDescriptor
    let path: String
    let keepsAttributes: Bool
    let syncs = DirectorySync()
    private let identity: DirectorySync.Identity
    /// One for many paths; held around comparing a version and renaming.
    private let locks = (0..<64).map { _ in Monitor() }
    private let lazyScratch = Mutex<FileScratch?>(nil)

    /// - Parameter path: as the user gave it; here links are followed, because the user named them.
    init(path: String) throws(FileFailure) {
        self.path = path
        do throws(Errno) {
            directory = FileDescriptor(owning: try Errno.check { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
            identity = DirectorySync.Identity(try directory.facts())
        } catch {
            switch error {
            case .absent, .notDirectory:
                throw FileFailure(
                    .missingContainer, "\(ObjectKey(path)) is not a directory (\(error.text)); is its disk mounted?")
            default: throw FileFailure(error, "opening", path)
            }
        }
        keepsAttributes = FileAttributes.areKept(by: directory)
        syncs.remember([identity])
    }

    /// Where unfinished files of this process live; made at the first use.
    func scratch() throws(FileFailure) -> FileScratch {
        try lazyScratch.withLock { scratch throws(FileFailure) in
            if let scratch { return scratch }
            let made = try FileScratch(in: self)
            scratch = made
            return made
        }
    }

    /// Whether the file system is known to take different names for one; found out when the store begins to write.
    private var foldsNames: Bool { lazyScratch.withLock { $0?.foldsNames ?? false } }

    /// Throws when another directory is now where the root was: its disk was unmounted or replaced.
    func verifyRoot() throws(FileFailure) {
        let number = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if number >= 0, case let now = FileDescriptor(owning: number) {
            var found: DirectorySync.Identity?
            let failure = Errno.of { () throws(Errno) in found = DirectorySync.Identity(try now.facts()) }
            if failure == nil, found == identity { return }
        }
        throw FileFailure(
            .missingContainer, "\(ObjectKey(path)) is no longer the directory that it was; was its disk unmounted?")
    }

    /// A path below the root, for messages.
    func text(_ path: [UInt8]) -> String { self.path + "/" + String(decoding: path, as: UTF8.self) }

    func text(_ path: DiskPath) -> String { text(path.bytes) }

    /// Serialises what this process does to one name. Twins on a file system that folds names share one lock.
    func locked<R>(_ path: DiskPath, foldsNames: Bool, _ body: () throws(FileFailure) -> R) throws(FileFailure) -> R {
        let lock = locks[foldsNames ? 0 : Int(UInt(bitPattern: path.bytes.hashValue) % UInt(locks.count))]
        let result: Result<R, FileFailure> = lock.locked {
            do throws(FileFailure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The file of an object, open for reading.
    func openFile(_ path: DiskPath) throws(FileFailure) -> FileDescriptor {
        let file: FileDescriptor
        let kind: FileFacts.Kind
        do throws(Errno) {
            // Not waiting: opening a pipe would wait for somebody to write to it.
            file = try directory.open(path.bytes, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            kind = try file.facts().kind
        } catch {
            switch error.code {
            case ENOENT, ENOTDIR: throw FileFailure(.notFound, "there is no file \(ObjectKey(text(path)))")
            case ENXIO: throw FileFailure(.invalidKey, "\(ObjectKey(text(path))) is not a file")
            default: throw FileFailure(error, "opening", text(path))
            }
        }
        if foldsNames, try FoldedNames.twin(of: path, in: self) != nil {
            throw FileFailure(.notFound, "there is no file \(ObjectKey(text(path))) in this spelling")
        }
        switch kind {
        case .file: return file
        case .directory: throw FileFailure(.notFound, "\(ObjectKey(text(path))) is a directory")
        default: throw FileFailure(.invalidKey, "\(ObjectKey(text(path))) is \(kind.reason)")
        }
    }
}
