import ReplicationModel

/// A walk through a directory tree in the order of the keys, that stops after each page and goes on from there.
///
/// It holds the names of the directories on the way down to where it stands, and no open descriptor between pages.
/// Used by one call at a time.
final class FileListing {
    /// Directories that are opened for one page at most: a tree without files gives empty pages, not endless ones.
    static let maxDirectories = 1000

    /// Where a walk begins or goes on.
    struct Start {
        var key: ObjectKey
        /// Whether the key itself has been seen. Not so for a directory: its own name may be an object inside it (`a/`).
        var isSeen: Bool
    }

    private struct Level {
        /// The key up to here: empty, or ending in a slash.
        var key: [UInt8]
        var path: [UInt8]
        var entries: DirectoryEntries
        var index: Int
    }

    let prefix: ObjectKey
    let endBefore: ObjectKey?
    private let tree: FileTree
    private let start: Start?
    private var levels: [Level] = []
    private var hasStarted = false
    /// What has been seen: where another walk would go on.
    private(set) var position: Start?
    private(set) var isAtEnd = false

    init(_ tree: FileTree, prefix: ObjectKey, start: Start?, endBefore: ObjectKey?) {
        self.tree = tree
        self.prefix = prefix
        self.start = start
        self.endBefore = endBefore
    }

    /// The next page, without a cursor.
    func page(limit: Int, _ cancellation: FileThreads.Cancellation) throws(FileFailure) -> ListPage {
        var page = ListPage(objects: [], next: nil)
        var opened = 0
        if !hasStarted {
            hasStarted = true
            try pushFirst()
        }
        var directory: FileDescriptor?
        while page.objects.count + page.unlistable.count < limit, opened < Self.maxDirectories {
            guard let level = levels.last else {
                isAtEnd = true
                break
            }
            guard level.index < level.entries.count else {
                levels.removeLast()
                directory = nil
                continue
            }
            let entry = level.entries[level.index]
            let key = ObjectKey(level.key + level.entries.segment(entry))
            levels[levels.count - 1].index += 1
            if let endBefore, !(key < endBefore) {
                isAtEnd = true
                break
            }
            if !key.hasPrefix(prefix) {
                if prefix < key {
                    isAtEnd = true
                    break
                }
                continue
            }
            if isSeen(key, entry.kind) { continue }
            if level.index % 256 == 0 { try cancellation.check() }
            switch entry.kind {
            case .directory:
                opened += 1
                directory = nil
                try descend(key, path(level, entry), into: &page)
            case .file:
                try look(at: key, level, entry, in: &directory, into: &page)
            case .symbolicLink, .special, .undecodable:
                page.unlistable.append((key.text, entry.kind.reason))
            }
            position = Start(key: key, isSeen: entry.kind != .directory)
        }
        return page
    }

    /// Whether everything that the entry stands for comes before the start.
    private func isSeen(_ key: ObjectKey, _ kind: DirectoryEntries.Kind) -> Bool {
        guard let start else { return false }
        if kind == .directory, start.key.hasPrefix(key) { return false }
        return key < start.key || (key == start.key && start.isSeen)
    }

    /// Opens the directory that holds all keys with the prefix.
    private func pushFirst() throws(FileFailure) {
        let folder = prefix.bytes[..<((prefix.bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)]
        // Any name will do: only its directory counts.
        let path = FileNames.path(of: ObjectKey(folder + [UInt8(ascii: "x")])).directory
        try push(Array(folder), path) { _ in }
    }

    private func descend(_ key: ObjectKey, _ path: [UInt8], into page: inout ListPage) throws(FileFailure) {
        var unlistable: String?
        try push(key.bytes, path) { unlistable = $0 }
        if let unlistable { page.unlistable.append((key.text, unlistable)) }
    }

    /// Reads a directory's names. What is gone holds no keys; what cannot be read is an error, never an empty directory.
    private func push(_ key: [UInt8], _ path: [UInt8], _ unlistable: (String) -> Void) throws(FileFailure) {
        let entries: DirectoryEntries
        do throws(Errno) {
            entries = try DirectoryEntries(try tree.directory.openDirectory(path), isRoot: path.isEmpty)
        } catch {
            switch error {
            case .absent, .notDirectory: return
            case .symbolicLink: return unlistable(DirectoryEntries.Kind.symbolicLink.reason)
            default:
                // Too long for a path: nothing can be there.
                if error.code == Errno.nameTooLong.code { return }
                throw FileFailure(error, "listing", tree.text(path))
            }
        }
        levels.append(Level(key: key, path: path, entries: entries, index: firstIndex(entries, key)))
    }

    /// Where to start in a directory: everything before can only hold keys that are not asked for.
    private func firstIndex(_ entries: DirectoryEntries, _ key: [UInt8]) -> Int {
        let target = max(start?.key ?? prefix, prefix)
        guard target.bytes.starts(with: key) else { return 0 }
        let rest = target.bytes[key.count...]
        let index = entries.firstIndex(from: rest)
        // The directory that the target itself is in sorts before it.
        if index > 0, rest.starts(with: entries.segment(entries[index - 1])), entries[index - 1].kind == .directory {
            return index - 1
        }
        return index
    }

    private func look(
        at key: ObjectKey, _ level: Level, _ entry: DirectoryEntries.Entry, in directory: inout FileDescriptor?,
        into page: inout ListPage
    ) throws(FileFailure) {
        let path = level.entries.path(entry)
        let facts: FileFacts?
        do throws(Errno) {
            let here: FileDescriptor
            if let directory { here = directory } else { here = try tree.directory.openDirectory(level.path) }
            directory = here
            // A name of several parts lies deeper; the way down is checked like every other.
            if let slash = path.lastIndex(of: UInt8(ascii: "/")) {
                facts = try here.openDirectory(Array(path[..<slash])).facts(of: Array(path[(slash + 1)...]))
            } else {
                facts = try here.facts(of: path)
            }
        } catch {
            // Deleted since the names were read.
            if error == .absent || error == .notDirectory { return }
            throw FileFailure(error, "looking at", tree.text(self.path(level, entry)))
        }
        guard let facts else { return }
        guard facts.kind == .file else {
            page.unlistable.append((key.text, facts.kind.reason))
            return
        }
        page.objects.append(FileStore.listed(key, facts))
    }

    private func path(_ level: Level, _ entry: DirectoryEntries.Entry) -> [UInt8] {
        let path = level.entries.path(entry)
        return level.path.isEmpty ? path : level.path + [UInt8(ascii: "/")] + path
    }
}
