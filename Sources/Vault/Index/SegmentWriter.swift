package import ObjectStores
package import ReplicationModel

/// Makes index segments of what a session has written.
package enum SegmentWriter {
    /// Writes the rows in as few segments as they need. Nothing refers to the segments until a root does; what a failure leaves is removed
    /// with the session.
    ///
    /// A row that comes twice is written once; of two rows with the same chunk and pack the first one in the pack counts.
    @concurrent
    package static func write(
        rows: [(ChunkID, ChunkLocation)], session: SessionName, store: any ObjectStore, keys: KeyRing,
        local: any VaultLocalState
    ) async throws(VaultError) -> [SegmentReference] {
        let packs = sortedPacks(Set(rows.lazy.map { $0.1.pack }))
        let numbers = Dictionary(uniqueKeysWithValues: packs.enumerated().map { ($1, UInt32($0)) })
        var sorted = rows.map { id, location in
            SegmentRow(
                id: id, pack: numbers[location.pack]!, offset: location.offset, storedLength: location.storedLength,
                plainLength: location.plainLength, codec: location.codec)
        }
        sorted.sort { $0 < $1 || (!($1 < $0) && $0.offset < $1.offset) }
        var output = SegmentOutput(
            packs: packs, session: session, loader: SegmentLoader(store: store, keys: keys, local: local))
        for row in sorted { try await output.add(row) }
        return try await output.finish()
    }

    /// In the order that a segment's table has.
    static func sortedPacks(_ packs: Set<PackName>) -> [PackName] {
        packs.map { ($0.rawBytes, $0) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1)
    }
}

/// Cuts a sorted run of rows into segments and writes them.
struct SegmentOutput {
    /// What the rows' pack numbers mean; sorted.
    private let packs: [PackName]
    private let session: SessionName
    private let loader: SegmentLoader
    private var rows: [SegmentRow] = []
    private var last: SegmentRow?
    private var segments: [SegmentReference] = []

    init(packs: [PackName], session: SessionName, loader: SegmentLoader) {
        self.packs = packs
        self.session = session
        self.loader = loader
    }

    /// Adds the next row; one with the id and pack of the row before is dropped.
    /// - Precondition: rows rise, or repeat.
    mutating func add(_ row: SegmentRow) async throws(VaultError) {
        if let last, !(last < row) { return }
        last = row
        if rows.count == SegmentPayload.maxRows { try await write() }
        rows.append(row)
    }

    mutating func finish() async throws(VaultError) -> [SegmentReference] {
        if !rows.isEmpty { try await write() }
        return segments
    }

    private mutating func write() async throws(VaultError) {
        // The segment's table has the packs of its own rows only; their order stays, so rows stay sorted.
        var numbers = [UInt32](repeating: .max, count: packs.count)
        for row in rows { numbers[Int(row.pack)] = 0 }
        var table: [PackName] = []
        for pack in packs.indices where numbers[pack] == 0 {
            numbers[pack] = UInt32(table.count)
            table.append(packs[pack])
        }
        for index in rows.indices { rows[index].pack = numbers[Int(rows[index].pack)] }
        let payload = SegmentPayload.encode(packs: table, rows: rows[...])
        segments.append(try await loader.write(payload, rows: rows.count, session: session))
        rows.removeAll(keepingCapacity: true)
    }
}
