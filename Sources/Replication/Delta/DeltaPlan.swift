package import ObjectStores
package import ReplicationModel

/// The sizes with which one object is cut by content: of segments, of parts, and of the memory that it passes through.
package struct DeltaPlan: Sendable, Hashable {
    /// Larger parts save no requests worth having and cost memory.
    private static let preferredPart: Int64 = 8 << 20
    private static let largestBlock: Int64 = 4 << 20

    package let size: Int64
    package let segments: SegmentCutter.Limits
    /// Bytes of every part but the last, at least.
    package let minimumPart: Int64
    /// A part of so many bytes is ended.
    package let targetPart: Int64
    /// Bytes of one read.
    package let block: Int64

    /// The last segment of a part may begin just below the target, and a copy takes what would be too short for another.
    package var largestPart: Int64 { targetPart + Int64(segments.maximum) + minimumPart }

    /// Bytes of a ring in which one part can grow while a block arrives, and a place to straighten a part that runs over its end.
    package var leastMemory: Int64 { ring(for: largestPart + block) + largestPart }

    /// The ring that fits into so much memory beside that place.
    package func ring(within memory: Int64) -> Int64 { (memory - largestPart) / block * block }

    private func ring(for bytes: Int64) -> Int64 { (bytes + block - 1) / block * block }

    package var blocks: Int { Int((size + block - 1) / block) }

    package func range(ofBlock index: Int) -> ByteRange {
        let offset = Int64(index) * block
        return ByteRange(offset: offset, length: min(block, size - offset))
    }

    /// nil when the store cannot hold the object in parts like these.
    package init?(size: Int64, preferred: Int64, segments: SegmentCutter.Limits, store: StoreCapabilities) {
        guard size > 0, size <= store.maxObjectSize, store.maxParts > 1 else { return nil }
        self.size = size
        self.segments = segments.scaled(to: size)
        // As all parts but the last have at least so many bytes, there are never more than the store takes.
        let needed = (size + Int64(store.maxParts) - 2) / Int64(store.maxParts - 1)
        minimumPart = max(store.partSize.lowerBound, Int64(self.segments.average), needed)
        targetPart = max(minimumPart, min(preferred, Self.preferredPart))
        block = min(Self.largestBlock, max(64 << 10, targetPart / 2))
        guard largestPart <= store.partSize.upperBound else { return nil }
    }
}
