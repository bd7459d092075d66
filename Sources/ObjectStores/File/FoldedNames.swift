import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// File systems that take two different names for one, where two keys would share a file.
enum FoldedNames {
    /// Finds out by making a file and looking for it under a name in other case, and under one in other Unicode normal form.
    static func isFolding(_ directory: FileDescriptor) throws(Errno) -> Bool {
        for (made, asked) in [("probe-a", "PROBE-A"), ("probe-\u{E9}", "probe-e\u{301}")] {
            let name = Array(made.utf8)
            _ = try directory.open(name, O_WRONLY | O_CREAT, mode: 0o600)
            let twin = try directory.facts(of: Array(asked.utf8))
            try directory.removeFile(name)
            if twin != nil { return true }
        }
        return false
    }

    /// Throws when a name of the path is there in another spelling. Reads every directory of the path: slow, on such file systems only.
    static func check(_ path: DiskPath, in tree: FileTree) throws(FileFailure) {
        for step in path.directories + [path] {
            do throws(Errno) {
                let directory = try tree.directory.openDirectory(step.directory)
                guard try directory.facts(of: step.name) != nil else { return }
                let spelled = try DirectoryReader.read(directory).contains { $0.name == step.name }
                if !spelled {
                    throw Errno.exists
                }
            } catch {
                switch error {
                case .absent: return
                case .exists:
                    throw FileFailure(
                        .invalidKey,
                        "the file system takes \(ObjectKey(tree.text(step))) and a name that is there in another spelling for one; "
                            + "it cannot hold both, and the first was kept")
                default: throw FileFailure(error, "looking at", tree.text(step))
                }
            }
        }
    }
}
