import Digests
import ReplicationModel
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

package struct FileStoreOptions: Sendable {
    /// Refuses every write, and leaves no trace in the directory.
    package var isReadOnly: Bool
    /// Makes the directory at the first write when it is not there; until then it lists as empty. Otherwise a missing directory is an
    /// error, since it may be a disk that is not mounted.
    package var createsRoot: Bool
    /// Calls of the file system at the same time, each on a thread of its own.
    package var threads: Int

    package init(isReadOnly: Bool = false, createsRoot: Bool = false, threads: Int = 16) {
        self.isReadOnly = isReadOnly
        self.createsRoot = createsRoot
        self.threads = threads
    }
}

/// A directory tree as a store: one file for each object, its attributes in an extended attribute.
///
/// - Keys are paths below the root (`FileNames`); nothing outside the root is read or written, and no symbolic link is followed.
/// - A receipt means that the file and its name are on the disk.
/// - The version token is `inode.size.mtime.ctime`; a read compares it before and after.
/// - What is not finished lives in `.lockstep` at the root, which is never listed.
package final class FileStore: ObjectStore {
    /// Bytes that are read or written between two looks at the cancellation, and digested while they are in the cache.
    static let step = 256 << 10
    static let directStep = 2 << 20

    package let name: String
    let options: FileStoreOptions
    let root: String
    private let threads: FileThreads
    private let opened = Mutex<FileTree?>(nil)
    let listings = OpenListings()

    /// - Parameter root: path of the directory.
    package init(root: String, options: FileStoreOptions = FileStoreOptions()) {
        self.root = root
        self.options = options
        name = "file://\(root)"
        threads = FileThreads(count: options.threads)
    }

    package var capabilities: StoreCapabilities {
        StoreCapabilities(
            partSize: 1...(5 << 30), maxParts: FileUpload.maxParts, maxObjectSize: 1 << 60, maxPutSize: 5 << 30,
            maxCopySize: 1 << 60, copiesParts: true, partsMayDiffer: false, conditionalWrites: .enforced,
            listPageLimit: 1000,
            deleteBatch: 1000,
            versionCoversAttributes: true, reportsChecksums: true, attributesFollowBytes: false,
            maxConcurrency: options.threads)
    }

    /// Of a root that is not there yet nothing is known, and attributes count as kept.
    package var rules: any ObjectRules {
        let tree = opened.withLock { tree in
            // What is wrong with the root is told by the first call that needs it.
            if tree == nil { do throws(FileFailure) { tree = try FileTree(path: root) } catch {} }
            return tree
        }
        return FileRules(keepsAttributes: tree?.keepsAttributes ?? true)
    }

    /// Runs what blocks on a thread of the store's own, with the root open.
    func perform<R: Sendable>(
        _ operation: StoreOperation, _ key: ObjectKey?,
        _ job: @escaping @Sendable (FileTree, FileThreads.Cancellation) throws(FileFailure) -> R
    ) async throws(StoreError) -> R {
        do throws(FileFailure) {
            if let key, let problem = FileRules(keepsAttributes: true).problem(with: key) {
                throw FileFailure(.invalidKey, problem)
            }
            if operation.isWrite, options.isReadOnly {
                throw FileFailure(.forbidden, "\(ObjectKey(root)) was opened for reading only")
            }
            return try await threads.run { [self] cancellation throws(FileFailure) in
                try job(try tree(for: operation), cancellation)
            }
        } catch {
            throw StoreError(error, operation, key)
        }
    }

    private func tree(for operation: StoreOperation) throws(FileFailure) -> FileTree {
        try opened.withLock { tree throws(FileFailure) in
            if let tree { return tree }
            if operation.isWrite, options.createsRoot { try makeRoot() }
            let made = try FileTree(path: root)
            tree = made
            return made
        }
    }

    /// Whether the root may be missing: then nothing is there yet.
    func isAwaited(_ error: StoreError) -> Bool { error.code == .missingContainer && options.createsRoot && !isOpen }

    private var isOpen: Bool { opened.withLock { $0 != nil } }

    /// Makes the root and what is missing above it, durably.
    private func makeRoot() throws(FileFailure) {
        var missing: [String] = []
        var path = root
        while !path.isEmpty, access(path, F_OK) != 0, errno == ENOENT {
            missing.append(path)
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
        for path in missing.reversed() {
            let failure = Errno.of { () throws(Errno) in
                try Errno.check { mkdir(path, 0o777) }
                let above = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
                let parent = FileDescriptor(
                    owning: try Errno.check { open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
                try parent.synchronize()
            }
            if let failure, failure != .exists { throw FileFailure(failure, "making the directory", path) }
        }
    }

    /// What a file says about its object.
    static func listed(_ key: ObjectKey, _ facts: FileFacts) -> ListedObject {
        ListedObject(key: key, size: facts.size, version: facts.version, modified: facts.modified)
    }
}

extension ObjectChecksums {
    init(_ digest: ContentDigest) {
        self.init(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
    }
}
