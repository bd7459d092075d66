package import ObjectStores

/// Keeps the segments of an index few, and takes dead packs out of it. Old segments stay as they are: the next root leaves them out.
package enum SegmentMerge {
    /// So many segments may be less than half full.
    package static let maxSmall = 8

    /// The segments to merge before the next commit: none, or all that are less than half full.
    package static func plan(_ segments: [SegmentReference]) -> [SegmentReference] {
        let small = segments.filter { $0.rows * 2 < SegmentPayload.maxRows }
        return small.count > maxSmall ? small : []
    }

    /// Writes the rows of `segments` anew in as few segments as they need: those that a root names instead. A chunk keeps all its
    /// locations, each once, but for those in `dead` packs. Streams: memory is for one segment besides the mapped ones.
    @concurrent
    package static func merged(
        _ segments: [SegmentReference], dropping dead: Set<PackName> = [], session: SessionName,
        store: any ObjectStore, keys: KeyRing, local: any VaultLocalState
    ) async throws(VaultError) -> [SegmentReference] {
        let loader = SegmentLoader(store: store, keys: keys, local: local)
        let images = try await loader.images(of: segments)
        return try await merged(images, dropping: dead, session: session, loader: loader)
    }

    /// For garbage collection: writes anew only segments that hold rows of dead packs.
    /// - Returns: all segments of the next root, and those that are not in it any more.
    @concurrent
    package static func rewritten(
        _ segments: [SegmentReference], dropping dead: Set<PackName>, session: SessionName,
        store: any ObjectStore, keys: KeyRing, local: any VaultLocalState
    ) async throws(VaultError) -> (segments: [SegmentReference], replaced: [SegmentReference]) {
        let loader = SegmentLoader(store: store, keys: keys, local: local)
        let images = try await loader.images(of: segments)
        let affected = images.indices.filter { !dead.isDisjoint(with: images[$0].packs) }
        let written = try await merged(
            affected.map { images[$0] }, dropping: dead, session: session, loader: loader)
        let replaced = Set(affected)
        return (
            segments.indices.filter { !replaced.contains($0) }.map { segments[$0] } + written,
            affected.map { segments[$0] }
        )
    }

    private static func merged(
        _ images: [SegmentImage], dropping dead: Set<PackName>, session: SessionName, loader: SegmentLoader
    ) async throws(VaultError) -> [SegmentReference] {
        let packs = SegmentWriter.sortedPacks(Set(images.lazy.flatMap(\.packs)).subtracting(dead))
        let numbers = Dictionary(uniqueKeysWithValues: packs.enumerated().map { ($1, UInt32($0)) })
        var output = SegmentOutput(packs: packs, session: session, loader: loader)
        var runs = SortedRuns(images.map { image in Run(image: image, packs: image.packs.map { numbers[$0] }) })
        while let row = runs.next() { try await output.add(row) }
        return try await output.finish()
    }

    /// The rows of one segment that live, with pack numbers of the new table.
    private struct Run {
        let image: SegmentImage
        /// nil: dead.
        let packs: [UInt32?]
        var index = 0

        mutating func next() -> SegmentRow? {
            while index < image.rows.count {
                var row = image.rows[index]
                index += 1
                guard let pack = packs[Int(row.pack)] else { continue }
                row.pack = pack
                return row
            }
            return nil
        }
    }

    /// Sorted runs as one: a heap of the runs by their next rows.
    private struct SortedRuns {
        private var heap: [(row: SegmentRow, run: Run)] = []

        init(_ runs: [Run]) {
            for var run in runs {
                if let row = run.next() { heap.append((row, run)) }
            }
            // Sorted, so a heap.
            heap.sort { $0.row < $1.row }
        }

        mutating func next() -> SegmentRow? {
            guard let row = heap.first?.row else { return nil }
            if let following = heap[0].run.next() {
                heap[0].row = following
            } else {
                let last = heap.removeLast()
                if heap.isEmpty { return row }
                heap[0] = last
            }
            sink()
            return row
        }

        private mutating func sink() {
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                    if heap[child].row < heap[least].row { least = child }
                }
                if least == parent { return }
                heap.swapAt(parent, least)
                parent = least
            }
        }
    }
}
