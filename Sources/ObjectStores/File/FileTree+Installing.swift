import CKernels
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension FileTree {
    /// How often a directory that disappears under a write is made again before that counts as a failure.
    private static let maxAttempts = 16

    /// Puts a finished file in its place, and returns when nothing can undo that: bytes, name and the directories above are on the disk.
    ///
    /// Whoever opens the name sees the old file or the new one. With `.absent` that is one step. Otherwise comparing the version and
    /// renaming are two: what another program puts there between them, within microseconds, is overwritten.
    /// - Parameters:
    ///   - temporary: name of `file` in `directory`.
    ///   - file: is closed.
    func install(
        _ temporary: [UInt8], in directory: FileDescriptor, _ file: FileDescriptor, at path: DiskPath,
        under condition: WriteCondition
    ) throws(FileFailure) -> FileFacts {
        let written = try prepare(file, path)
        for _ in 0..<Self.maxAttempts {
            let parent = try makeParent(of: path)
            guard try rename(temporary, in: directory, to: parent, path, condition) else { continue }
            do throws(Errno) {
                let facts = try parent.facts(of: path.name)
                try makeDurable(parent, path.directory)
                if let facts, facts.isSameFile(as: written) { return facts }
            } catch {
                throw FileFailure(error, "synchronising the directory of", text(path))
            }
            throw FileFailure(.preconditionFailed, "another program replaced the object right after it was written")
        }
        throw disappearing(path)
    }

    /// The directory of an object, made with all above it where it is missing.
    func makeParent(of path: DiskPath) throws(FileFailure) -> FileDescriptor {
        for _ in 0..<Self.maxAttempts {
            do throws(Errno) {
                return try directory.openDirectory(path.directory)
            } catch {
                guard error == .absent else { throw obstacle(error, path) }
            }
            do throws(Errno) {
                return try makeDirectories(path)
            } catch {
                // Absent: a delete pruned a directory in between.
                guard error == .absent else { throw obstacle(error, path) }
            }
        }
        throw disappearing(path)
    }

    private func makeDirectories(_ path: DiskPath) throws(Errno) -> FileDescriptor {
        var current = directory
        for step in path.directories {
            let failure = Errno.of { () throws(Errno) in try current.makeDirectory(step.name) }
            if let failure, failure != .exists { throw failure }
            current = try current.openDirectory(step.name)
        }
        return current
    }

    /// Makes the names in a directory durable, and the directory's own name, up to the first that is known to be.
    func makeDurable(_ parent: FileDescriptor, _ path: [UInt8]) throws(Errno) {
        var identity = DirectorySync.Identity(try parent.facts())
        try syncs.synchronize(parent, identity)
        var learned: [DirectorySync.Identity] = []
        var rest = path[...]
        while !rest.isEmpty, !syncs.isKnown(identity) {
            learned.append(identity)
            rest = rest[..<(rest.lastIndex(of: UInt8(ascii: "/")) ?? rest.startIndex)]
            let above = try directory.openDirectory(Array(rest))
            identity = DirectorySync.Identity(try above.facts())
            try syncs.synchronize(above, identity)
        }
        syncs.remember(learned)
    }

    /// A time of change of its own for each version, since many file systems stamp by a clock of some milliseconds; then the bytes.
    /// The file is closed before it is renamed: NFS and FUSE put off removing the name of an open file, and that changes it later.
    private func prepare(_ file: FileDescriptor, _ path: DiskPath) throws(FileFailure) -> FileFacts {
        do throws(Errno) {
            try Errno.take(lockstep_set_modified(file.number, SystemTime().now()))
            try file.synchronize()
            let facts = try file.facts()
            file.close()
            return facts
        } catch {
            throw FileFailure(error, "synchronising", text(path))
        }
    }

    /// False when the directory is gone.
    private func rename(
        _ temporary: [UInt8], in directory: FileDescriptor, to parent: FileDescriptor, _ path: DiskPath,
        _ condition: WriteCondition
    ) throws(FileFailure) -> Bool {
        let foldsNames = try scratch().foldsNames
        return try locked(path, foldsNames: foldsNames) { () throws(FileFailure) in
            if foldsNames { try FoldedNames.check(path, in: self) }
            if condition != .absent { try check(condition, path, parent) }
            let failure = Errno.of { () throws(Errno) in
                if condition == .absent {
                    try directory.renameExclusively(temporary, to: parent, path.name)
                } else {
                    try directory.rename(temporary, to: parent, path.name)
                }
            }
            switch failure {
            case nil: return true
            case .absent: return false
            case .exists:
                try check(.absent, path, parent)
                throw FileFailure(.preconditionFailed, "another object is there")
            case let failure?: throw obstacle(failure, path)
            }
        }
    }

    /// Whether the condition of a write holds now. What is there and not a file is never replaced.
    func check(_ condition: WriteCondition, _ path: DiskPath, _ parent: FileDescriptor) throws(FileFailure) {
        let current: FileFacts?
        do throws(Errno) { current = try parent.facts(of: path.name) } catch {
            throw FileFailure(error, "looking at", text(path))
        }
        if let current, current.kind != .file {
            throw FileFailure(.invalidKey, "\(ObjectKey(text(path))) is \(current.kind.reason); it was left as it is")
        }
        switch (condition, current?.version) {
        case (.unconditional, _), (.absent, nil): return
        case (.matches(let expected), let found?) where found == expected: return
        case (.absent, _): throw FileFailure(.preconditionFailed, "another object is there")
        case (.matches, nil): throw FileFailure(.preconditionFailed, "the object that was to be replaced is gone")
        case (.matches, _): throw FileFailure(.preconditionFailed, "another version of the object is there")
        }
    }

    /// What stands in the way of a path.
    private func obstacle(_ error: Errno, _ path: DiskPath) -> FileFailure {
        switch error {
        case .notDirectory:
            FileFailure(
                .invalidKey,
                "an object is where \(ObjectKey(text(path))) needs a directory; a file system cannot hold both, and the first was kept"
            )
        case .isDirectory, .notEmpty:
            FileFailure(
                .invalidKey,
                "\(ObjectKey(text(path))) is a directory; a file system cannot hold both, and the directory was kept")
        default: FileFailure(error, "writing", text(path))
        }
    }

    private func disappearing(_ path: DiskPath) -> FileFailure {
        FileFailure(.unavailable, "the directory of \(ObjectKey(text(path))) keeps disappearing", retry: .transient)
    }
}
