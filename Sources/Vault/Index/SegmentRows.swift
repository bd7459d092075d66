package import ReplicationModel

/// The sorted rows of a segment where they lie in memory. Valid as long as the image that they are of.
package struct SegmentRows {
    private let base: UnsafeRawPointer
    package let count: Int

    /// The rows lie right before `end`.
    init(end: UnsafeRawPointer, count: Int) {
        base = end - count * SegmentRow.byteCount
        self.count = count
    }

    package subscript(index: Int) -> SegmentRow { SegmentRow(at: base + index * SegmentRow.byteCount) }

    func id(_ index: Int) -> ChunkID { SegmentRow.id(at: base + index * SegmentRow.byteCount) }

    /// Ids are spread evenly, so where one must be is guessed from its first word; rows that are not (a hostile index) are halved instead.
    private static let guesses = 8

    /// The first row of the id; nil when there is none. Touches a page of rows or two.
    package func first(of id: ChunkID) -> Int? {
        // Rows before `low` have lesser ids, rows from `high` on greater ones; first words beside these borders.
        var low = 0
        var high = count
        var lowWord = UInt64.min
        var highWord = UInt64.max
        var step = 0
        while low < high {
            var probe = low + (high - low) / 2
            if step < Self.guesses, highWord > lowWord {
                let share = Double(id.words.0 - lowWord) / Double(highWord - lowWord)
                probe = low + min(high - low - 1, Int(share * Double(high - low)))
            }
            step += 1
            let found = self.id(probe)
            if found == id {
                while probe > 0, self.id(probe - 1) == id { probe -= 1 }
                return probe
            }
            if found < id {
                low = probe + 1
                lowWord = found.words.0
            } else {
                high = probe
                highWord = found.words.0
            }
        }
        return nil
    }
}
