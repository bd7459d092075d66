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
        guard let twin = try twin(of: path, in: tree) else { return }
        throw FileFailure(
            .invalidKey,
            "the file system takes \(ObjectKey(tree.text(path))) for \(ObjectKey(tree.text(twin))), which is there; it cannot hold both, "
                + "and the first was kept")
    }

    /// What is there under another spelling of the path, as far as its first different name; nil when the path is spelled as it is there.
    static func twin(of path: DiskPath, in tree: FileTree) throws(FileFailure) -> [UInt8]? {
        for step in path.directories + [path] {
            do throws(Errno) {
                let directory = try tree.directory.openDirectory(step.directory)
                guard let found = try directory.facts(of: step.name) else { return nil }
                let names = try DirectoryReader.read(directory)
                if names.contains(where: { $0.name == step.name }) { continue }
                for entry in names where try directory.facts(of: entry.name)?.inode == found.inode {
                    return step.directory + (step.directory.isEmpty ? [] : [UInt8(ascii: "/")]) + entry.name
                }
            } catch {
                // A name that the file system does not take is not there either.
                if [.absent, .notDirectory, .invalid, .illegal, .nameTooLong].contains(error) { return nil }
                throw FileFailure(error, "looking at", tree.text(step))
            }
        }
        return nil
    }
}
