package import ObjectStores
package import ReplicationModel

/// Which chunk is where: a view of the index segments of one root. Never changes.
///
/// Rows are mapped files (52 bytes a row) or memory, and in each segment a filter of 1.25 bytes a row answers for almost every id that is
/// not there.
package final class ChunkIndex: Sendable {
    /// What a lookup needs of one segment.
    ///
    /// Unchecked: points into an image that the index holds, which nothing writes to.
    private struct View: @unchecked Sendable {
        let rows: SegmentRows
        let filter: UnsafeRawPointer
        let filterBlocks: Int
        /// First words of the least and the greatest id.
        let words: ClosedRange<UInt64>
        /// Where its packs begin in `packTable`.
        let firstPack: Int
        /// Rows of the views before it.
        let firstRow: Int
    }

    /// A row with its number among all rows of the index.
    package struct NumberedRow {
        package let id: ChunkID
        /// From 0 to `count - 1`; stays as it is for the same segments in the same order.
        package let number: Int
        /// In `packTable`.
        package let pack: Int
        package let offset: UInt32
        package let storedLength: UInt32
        fileprivate let row: SegmentRow

        fileprivate init(_ row: SegmentRow, number: Int, pack: Int) {
            self.row = row
            self.number = number
            self.pack = pack
            id = row.id
            offset = row.offset
            storedLength = row.storedLength
        }
    }

    private let images: [SegmentImage]
    private let views: [View]
    /// The packs of all segments, one segment's behind the other's: a pack is there once for each segment that names it.
    package let packTable: [PackName]
    private let isCondemned: [Bool]
    private let packSet: Set<PackName>

    /// Fetches the segments that this machine does not have, a few at a time, and forgets files of segments that no root names any more.
    /// - Parameter condemned: names of packs (`PackName.text`) that garbage collection is about to remove.
    package static func load(
        _ segments: [SegmentReference], condemned: Set<String> = [], store: any ObjectStore, keys: KeyRing,
        local: any VaultLocalState, time: any Timekeeper = SystemTime()
    ) async throws(VaultError) -> ChunkIndex {
        let loader = SegmentLoader(store: store, keys: keys, local: local)
        let images = try await loader.images(of: segments)
        try loader.cache?.prune(keeping: segments, now: Int(time.nowSeconds()))
        return ChunkIndex(images, condemned: condemned)
    }

    init(_ images: [SegmentImage], condemned: Set<String> = []) {
        self.images = images
        var views: [View] = []
        var packTable: [PackName] = []
        var rows = 0
        for image in images {
            views.append(
                View(
                    rows: image.rows, filter: image.filter, filterBlocks: image.filterBlocks,
                    words: image.rows.id(0).words.0...image.rows.id(image.rows.count - 1).words.0,
                    firstPack: packTable.count, firstRow: rows))
            packTable += image.packs
            rows += image.rows.count
        }
        self.views = views
        self.packTable = packTable
        isCondemned = packTable.map { !condemned.isEmpty && condemned.contains($0.text) }
        packSet = Set(packTable)
    }

    /// Rows of all segments; a chunk counts once for each of its locations.
    package var count: Int { views.reduce(0) { $0 + $1.rows.count } }

    /// Where the chunk can be read: in a pack that is not condemned if there is one. Any thread; never blocks but for pages of rows that
    /// must come from disk.
    package func find(_ id: ChunkID) -> ChunkLocation? {
        guard let found = search(id) else { return nil }
        return location(found)
    }

    /// As `find`, but only in packs that are not condemned: what a writer may count as present.
    package func findLive(_ id: ChunkID) -> ChunkLocation? {
        guard let found = search(id), !isCondemned[found.pack] else { return nil }
        return location(found)
    }

    /// All locations, also those in condemned packs.
    package func findAll(_ id: ChunkID) -> [ChunkLocation] {
        var locations: [ChunkLocation] = []
        for view in views where mayHold(view, id) {
            guard let first = view.rows.first(of: id) else { continue }
            for index in first..<view.rows.count {
                let row = view.rows[index]
                guard row.id == id else { break }
                let found = location((row, view.firstPack + Int(row.pack)))
                if !locations.contains(found) { locations.append(found) }
            }
        }
        return locations
    }

    /// All packs that hold a chunk, each once, in no order.
    package var packs: [PackName] { Array(packSet) }

    package func contains(pack: PackName) -> Bool { packSet.contains(pack) }

    /// All rows, segment by segment, in each by id. The same row comes twice when two segments have it.
    package func forEachRow<Failure: Error>(
        _ body: (ChunkID, ChunkLocation) throws(Failure) -> Void
    ) throws(Failure) {
        for view in views {
            for index in 0..<view.rows.count {
                let row = view.rows[index]
                try body(row.id, row.location(in: packTable[view.firstPack + Int(row.pack)]))
            }
        }
    }

    /// All rows with their numbers, which rise.
    package func forEachNumberedRow<Failure: Error>(
        _ body: (NumberedRow) throws(Failure) -> Void
    ) throws(Failure) {
        for view in views {
            for index in 0..<view.rows.count { try body(numbered(index, view)) }
        }
    }

    /// The rows of one chunk with their numbers, also those in condemned packs.
    package func forEachRow(of id: ChunkID, _ body: (NumberedRow) -> Void) {
        for view in views where mayHold(view, id) {
            guard let first = view.rows.first(of: id) else { continue }
            for index in first..<view.rows.count {
                let row = numbered(index, view)
                guard row.id == id else { break }
                body(row)
            }
        }
    }

    package func location(of row: NumberedRow) -> ChunkLocation { row.row.location(in: packTable[row.pack]) }

    private func numbered(_ index: Int, _ view: View) -> NumberedRow {
        let row = view.rows[index]
        return NumberedRow(row, number: view.firstRow + index, pack: view.firstPack + Int(row.pack))
    }

    private func location(_ found: (row: SegmentRow, pack: Int)) -> ChunkLocation {
        found.row.location(in: packTable[found.pack])
    }

    private func mayHold(_ view: View, _ id: ChunkID) -> Bool {
        view.words.contains(id.words.0) && SegmentFilter.mayContain(id, view.filter, blocks: view.filterBlocks)
    }

    /// The first row in a pack that is not condemned, else the first one. Allocates nothing.
    private func search(_ id: ChunkID) -> (row: SegmentRow, pack: Int)? {
        var condemned: (row: SegmentRow, pack: Int)?
        for view in views where mayHold(view, id) {
            guard var index = view.rows.first(of: id) else { continue }
            while index < view.rows.count, case let row = view.rows[index], row.id == id {
                let pack = view.firstPack + Int(row.pack)
                if !isCondemned[pack] { return (row, pack) }
                if condemned == nil { condemned = (row, pack) }
                index += 1
            }
        }
        return condemned
    }
}
