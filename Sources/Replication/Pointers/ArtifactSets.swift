package import ReplicationModel

/// Which objects are pointers, and which objects belong to the set that each of them announces.
///
/// A pointer is the object by which readers find a set: `latest`, an index, `_SUCCESS`. A set is everything below one folder, so the
/// keys of a set follow each other in a listing, and sets nest.
package struct ArtifactSets: Sendable, Hashable {
    /// How far a pointer's set extends.
    package enum Extent: Sendable, Hashable {
        /// Everything below the pointer's own folder.
        case folder
        /// Everything below the first so many folders of the pointer's key, or below its own folder where that is less deep.
        case depth(Int)
        /// Everything below the outermost folder of the pointer's key that one of the patterns matches, else below its own folder.
        case matching([GlobPattern])
    }

    /// In the order in which they are switched: an object that a later pattern matches is written later.
    package var pointers: [GlobPattern]
    package var extent: Extent

    package init(pointers: [GlobPattern], extent: Extent = .folder) {
        self.pointers = pointers
        self.extent = extent
    }

    /// A pattern for folders, with or without the slash at its end.
    package static func folderPattern(_ text: String) throws(GlobPattern.SyntaxError) -> GlobPattern {
        // With the slash, a pattern would mean what is below the folder.
        try GlobPattern(text.hasSuffix("/") ? String(text.dropLast()) : text)
    }

    /// Where an object has its turn among the pointers; nil when it is none.
    struct Rank: Comparable, Hashable {
        /// Folders above the set: inner sets are announced before those that hold them.
        var depth: Int
        /// The last pattern that matches.
        var pattern: Int
        /// Folders above the pointer itself: of equals, the inner ones go first here too.
        var folders: Int

        static func < (a: Rank, b: Rank) -> Bool {
            (-a.depth, a.pattern, -a.folders) < (-b.depth, b.pattern, -b.folders)
        }
    }

    package func isPointer(_ key: ObjectKey) -> Bool { pointers.contains { $0.matches(key.bytes) } }

    func rank(of key: ObjectKey) -> Rank? {
        guard let pattern = pointers.lastIndex(where: { $0.matches(key.bytes) }) else { return nil }
        return Rank(
            depth: Self.folders(in: key.bytes[..<setEnd(key)]), pattern: pattern,
            folders: Self.folders(in: key.bytes[...]))
    }

    /// The prefix of the pointer's set: empty for the whole location, else it ends in a slash.
    package func prefix(of pointer: ObjectKey) -> ObjectKey { ObjectKey(Array(pointer.bytes[..<setEnd(pointer)])) }

    /// Folders that can be sets are at most so deep.
    var maxDepth: Int {
        if case .depth(let depth) = extent { depth } else { .max }
    }

    static func folders(in prefix: ArraySlice<UInt8>) -> Int { prefix.count { $0 == UInt8(ascii: "/") } }

    private func setEnd(_ pointer: ObjectKey) -> Int {
        let slashes = pointer.bytes.indices.lazy.filter { pointer.bytes[$0] == UInt8(ascii: "/") }
        let ownFolder = (slashes.last ?? -1) + 1
        switch extent {
        case .folder: return ownFolder
        case .depth(let depth): return (slashes.prefix(depth).max() ?? -1) + 1
        case .matching(let patterns):
            let outermost = slashes.first { slash in
                let folder = Array(pointer.bytes[..<slash])
                return patterns.contains { $0.matches(folder) }
            }
            return outermost.map { $0 + 1 } ?? ownFolder
        }
    }
}
