import ReplicationModel

/// Which rows of an index the vault cannot do without: a bit for each row, so that a vault of 100 million chunks takes 13 MB.
///
/// Of several places of one chunk one counts, always the same: in a pack that is not condemned if there is one, in the oldest of those.
/// So what two writers stored at the same time is kept in the packs of one of them, and all of the other's are garbage.
struct LiveRows {
    /// What an index says of one pack, and what of it is needed.
    struct Usage: Hashable, Sendable {
        var rows = 0
        /// Bytes of the records.
        var bytes: Int64 = 0
        var liveRows = 0
        var liveBytes: Int64 = 0
    }

    let index: ChunkIndex
    /// Each pack once, the oldest session first.
    let packs: [PackName]
    /// For each entry of the index's table of packs, its place in `packs`.
    private let numbers: [Int]
    private let isCondemned: [Bool]
    private var bits: [UInt64]

    /// - Parameter condemned: `PackName.text` of packs whose chunks are live there only if they are nowhere else.
    init(_ index: ChunkIndex, condemned: Set<String>) {
        self.index = index
        let named = index.packs.map { (text: $0.text, pack: $0) }.sorted { $0.text < $1.text }
        packs = named.map(\.pack)
        isCondemned = named.map { condemned.contains($0.text) }
        let places = Dictionary(uniqueKeysWithValues: packs.enumerated().map { ($1, $0) })
        numbers = index.packTable.map { places[$0]! }
        bits = Array(repeating: 0, count: (index.count + 63) / 64)
    }

    /// Notes that the chunk is needed; false when the index does not know it.
    mutating func mark(_ id: ChunkID) -> Bool {
        var best: (row: Int, pack: Int)?
        index.forEachRow(of: id) { row in
            let pack = numbers[row.pack]
            guard let other = best?.pack else {
                best = (row.number, pack)
                return
            }
            let isBetter = isCondemned[pack] == isCondemned[other] ? pack < other : isCondemned[other]
            if isBetter { best = (row.number, pack) }
        }
        guard let best else { return false }
        bits[best.row / 64] |= 1 << UInt64(best.row % 64)
        return true
    }

    /// The needed rows, pack by its place in `packs`.
    func forEach<Failure: Error>(
        _ body: (ChunkID, Int, ChunkLocation) throws(Failure) -> Void
    ) throws(Failure) {
        try index.forEachNumberedRow { (row) throws(Failure) in
            if isLive(row) { try body(row.id, numbers[row.pack], index.location(of: row)) }
        }
    }

    private func isLive(_ row: ChunkIndex.NumberedRow) -> Bool {
        bits[row.number / 64] >> UInt64(row.number % 64) & 1 == 1
    }

    /// For each of `packs`.
    func usage() -> [Usage] {
        var usage = Array(repeating: Usage(), count: packs.count)
        index.forEachNumberedRow { (row) throws(Never) in
            let pack = numbers[row.pack]
            usage[pack].rows += 1
            usage[pack].bytes += Int64(row.storedLength)
            guard isLive(row) else { return }
            usage[pack].liveRows += 1
            usage[pack].liveBytes += Int64(row.storedLength)
        }
        return usage
    }
}
