import Digests
import ReplicationModel
import Synchronization

/// The walks that stand between two pages, so that a large directory is read once and not once for every page.
///
/// A cursor is the last key seen and the number of a walk. When the walk is not there any more (another process, or too many others since),
/// a new one starts after the key: slower, and the same listing.
final class OpenListings: Sendable {
    /// Walks that are remembered at most; the oldest go first.
    static let limit = 8

    /// A walk is used by one call at a time: it is taken out for each page.
    private struct Entry: @unchecked Sendable {
        var cursor: String
        var listing: FileListing
    }

    private struct State {
        var entries: [Entry] = []
        var counter = 0
    }

    private let state = Mutex(State())

    /// The walk that a request continues or begins.
    func take(_ request: ListRequest, _ tree: FileTree) throws(FileFailure) -> FileListing {
        guard let cursor = request.cursor else {
            let start = request.startAfter.map { FileListing.Start(key: $0, isSeen: true) }
            return FileListing(tree, prefix: request.prefix, start: start, endBefore: request.endBefore)
        }
        let kept: Entry? = state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.cursor == cursor }) else { return nil }
            return state.entries.remove(at: index)
        }
        if let kept, kept.listing.prefix == request.prefix, kept.listing.endBefore == request.endBefore {
            return kept.listing
        }
        guard let mark = cursor.firstIndex(where: { $0 == "-" || $0 == "+" }),
            let key = Hex.decode(String(cursor[..<mark]))
        else {
            throw FileFailure(.invalidRequest, "the cursor is not one that this store gave")
        }
        let start = FileListing.Start(key: ObjectKey(key), isSeen: cursor[mark] == "-")
        return FileListing(tree, prefix: request.prefix, start: start, endBefore: request.endBefore)
    }

    /// Keeps a walk for the next page; returns the cursor, nil when the walk is at its end.
    func keep(_ listing: FileListing) -> String? {
        guard !listing.isAtEnd, let position = listing.position else { return nil }
        let entry = Entry(cursor: "", listing: listing)
        return state.withLock { state in
            state.counter += 1
            var entry = entry
            entry.cursor = "\(Hex.encode(position.key.bytes))\(position.isSeen ? "-" : "+")\(state.counter)"
            state.entries.append(entry)
            if state.entries.count > Self.limit { state.entries.removeFirst() }
            return entry.cursor
        }
    }
}
