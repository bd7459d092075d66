import ChunkPipeline
import Digests
import ReplicationModel

/// Finds what the snapshots of a root need. May be asked again for later roots: then it reads only pages that it has not seen, so that a
/// collector whose commit was superseded by a writer's catches up with it.
///
/// What it has seen once counts as needed for good, also when its snapshot has been removed since: the next run sees to that.
final class LiveMarking {
    private let vault: VaultHandle
    private let pages: PageStore
    private let lists: ChunkListReader
    /// Of all snapshots that were marked.
    private var seen: Set<PageReference> = []
    /// Hashes of the lists of large objects that were read.
    private var seenLists: Set<[UInt8]> = []
    private var live: LiveRows?

    init(_ vault: VaultHandle, pages: PageStore, packs: PackReader) {
        self.vault = vault
        self.pages = pages
        lists = ChunkListReader(packs)
    }

    func mark(_ root: VaultRoot) async throws(VaultError) -> LiveRows {
        let index = try await ChunkIndex.load(
            root.segments, store: vault.store, keys: vault.keys, local: vault.local, time: vault.time)
        var marked = LiveRows(index, condemned: Set(root.collection.condemned))
        if let live {
            // Not found: of a snapshot that is no longer there.
            live.forEach { (id, _, _) throws(Never) in _ = marked.mark(id) }
        }
        do throws(VaultError) {
            for snapshot in root.snapshots {
                try await SnapshotTree(root: snapshot.tree, pages: pages).forEachEntry(notIn: &seen) {
                    (entry) throws(VaultError) in try await mark(entry, &marked)
                }
            }
        } catch {
            // Pages count as seen before they are marked.
            seen = []
            seenLists = []
            live = nil
            throw error
        }
        live = marked
        return marked
    }

    private func mark(_ entry: VaultEntry, _ marked: inout LiveRows) async throws(VaultError) {
        switch entry.content {
        case .chunks(let references): try mark(references, entry, &marked)
        case .list(let list):
            try mark(list, entry, &marked)
            guard seenLists.insert(Self.hash(list)).inserted else { return }
            try await lists.read(list, in: marked.index) { (references) throws(VaultError) in
                try mark(references, entry, &marked)
            }
        }
    }

    private func mark(
        _ references: [ChunkReference], _ entry: VaultEntry, _ marked: inout LiveRows
    ) throws(VaultError) {
        for reference in references where !marked.mark(reference.id) {
            throw VaultError(
                .missing,
                "a chunk of \(entry.key) is in no pack that the index knows. Nothing can be collected before the "
                    + "snapshots that need it are removed; lockstep vault check names them")
        }
    }

    private static func hash(_ list: [ChunkReference]) -> [UInt8] {
        list.flatMap(\.id.bytes).withUnsafeBytes { BLAKE3.hash($0) }
    }
}

/// Reads lists of large objects' chunks piece by piece: a list may be longer than memory should be.
struct ChunkListReader {
    private let packs: PackReader

    /// Bytes of one row of a list.
    private static let row = ChunkID.length + 4
    /// No chunk of a list is longer; those that writers make have 256 KiB.
    private static let largest = 8 << 20

    init(_ packs: PackReader) {
        self.packs = packs
    }

    /// Hands over what the list names, in order, the content of each of the list's chunks at once.
    func read(
        _ list: [ChunkReference], in index: ChunkIndex, _ body: ([ChunkReference]) throws(VaultError) -> Void
    ) async throws(VaultError) {
        // A row may lie across two chunks.
        var rest: [UInt8] = []
        for reference in list {
            let length = Int(reference.length)
            guard length <= Self.largest else {
                throw VaultError(.damaged, "a list of chunks has a chunk of \(length) bytes, which is too long")
            }
            let locations = index.findAll(reference.id).filter { Int($0.plainLength) == length }
            guard !locations.isEmpty else {
                throw VaultError(.missing, "a chunk of a list of chunks is in no pack that the index knows")
            }
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: rest.count + length, alignment: 16)
            defer { room.deallocate() }
            room.copyBytes(from: rest)
            try await packs.read([
                ChunkRead(reference.id, at: locations, range: 0..<length, into: room.baseAddress! + rest.count)
            ])
            let whole = room.count / Self.row * Self.row
            try body(try ObjectContent.decode(UnsafeRawBufferPointer(rebasing: room[..<whole])))
            rest = Array(room[whole...])
        }
        guard rest.isEmpty else { throw VaultError(.damaged, "a list of chunks has half a row") }
    }
}
