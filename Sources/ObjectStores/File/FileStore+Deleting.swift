import ReplicationModel

extension FileStore {
    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        do throws(StoreError) {
            return try await perform(.delete, nil) { tree, cancellation throws(FileFailure) in
                try FileDeletion(tree: tree).run(requests, cancellation)
            }
        } catch {
            // A root that is not there yet holds nothing.
            if isAwaited(error) { return requests.map { _ in .success(()) } }
            return requests.map {
                var failure = error
                failure.key = $0.key
                return .failure(failure)
            }
        }
    }
}

/// One batch of deletes: names go first, then each directory is made durable once, and directories that became empty go too.
private struct FileDeletion {
    let tree: FileTree

    func run(_ requests: [DeleteRequest], _ cancellation: FileThreads.Cancellation) throws(FileFailure) -> [Result<
        Void, StoreError
    >] {
        var failures = [FileFailure?](repeating: nil, count: requests.count)
        var changed: [[UInt8]: [Int]] = [:]
        for (index, request) in requests.enumerated() {
            let path = FileNames.path(of: request.key)
            do throws(FileFailure) {
                try cancellation.check()
                if let problem = FileRules(keepsAttributes: true).problem(with: request.key) {
                    throw FileFailure(.invalidKey, problem)
                }
                if try remove(path, request.version) { changed[path.directory, default: []].append(index) }
            } catch {
                failures[index] = error
            }
        }
        // Removing empty directories first leaves fewer to be made durable.
        var standing: [[UInt8]: [Int]] = [:]
        for (directory, indices) in changed { standing[prune(directory), default: []] += indices }
        for (directory, indices) in standing {
            guard let error = makeDurable(directory) else { continue }
            for index in indices { failures[index] = FileFailure(error, "synchronising", tree.text(directory)) }
        }
        return zip(requests, failures).map { request, failure in
            failure.map { .failure(StoreError($0, .delete, request.key)) } ?? .success(())
        }
    }

    /// False when there was nothing to remove.
    private func remove(_ path: DiskPath, _ version: VersionToken?) throws(FileFailure) -> Bool {
        let foldsNames = try tree.scratch().foldsNames
        return try tree.locked(path, foldsNames: foldsNames) { () throws(FileFailure) in
            // Another spelling is another object.
            if foldsNames, try FoldedNames.twin(of: path, in: tree) != nil { return false }
            let parent: FileDescriptor
            let found: FileFacts
            do throws(Errno) {
                parent = try tree.directory.openDirectory(path.directory)
                guard let facts = try parent.facts(of: path.name), facts.kind != .directory else { return false }
                found = facts
            } catch {
                if [.absent, .notDirectory, .invalid, .illegal, .nameTooLong].contains(error) { return false }
                throw FileFailure(error, "deleting", tree.text(path))
            }
            guard found.kind == .file else {
                throw FileFailure(
                    .invalidKey, "\(ObjectKey(tree.text(path))) is \(found.kind.reason); it was left as it is")
            }
            if let version, version != found.version {
                throw FileFailure(.preconditionFailed, "another version of the object is there")
            }
            do throws(Errno) {
                try parent.removeFile(path.name)
                return true
            } catch {
                if error == .absent { return false }
                throw FileFailure(error, "deleting", tree.text(path))
            }
        }
    }

    /// Removes the directory and those above it as far as they are empty, never the root; returns the first that stays.
    private func prune(_ path: [UInt8]) -> [UInt8] {
        var path = path[...]
        while !path.isEmpty {
            let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? path.startIndex
            let above = path[..<max(path.startIndex, start - 1)]
            let failure = Errno.of { () throws(Errno) in try removeIfEmpty(Array(path[start...]), in: Array(above)) }
            // Not empty, or not ours to remove: here the emptying ends. What another delete has removed is gone for both.
            if let failure, failure != .absent { break }
            path = above
        }
        return Array(path)
    }

    /// When another delete removes the directory in between, the one above it tells that its names are gone.
    private func makeDurable(_ path: [UInt8]) -> Errno? {
        var path = path[...]
        while true {
            let failure = Errno.of { () throws(Errno) in
                let directory = try tree.directory.openDirectory(Array(path))
                try tree.syncs.synchronize(directory, DirectorySync.Identity(try directory.facts()))
            }
            guard failure == .absent, !path.isEmpty else { return failure }
            path = path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex)]
        }
    }

    private func removeIfEmpty(_ name: [UInt8], in path: [UInt8]) throws(Errno) {
        let parent = try tree.directory.openDirectory(path)
        guard let facts = try parent.facts(of: name) else { return }
        tree.syncs.forget(DirectorySync.Identity(facts))
        try parent.removeDirectory(name)
    }
}
