package import ObjectStores
package import ReplicationModel

/// How an object is cut into parts: the preferred size, larger where the object or the store asks for it.
package struct PartPlan: Sendable, Hashable {
    package let size: Int64
    package let partSize: Int64

    package var count: Int { Int((size + partSize - 1) / partSize) }

    /// The range of part `number`, which counts from 1.
    package func range(_ number: Int) -> ByteRange {
        let offset = Int64(number - 1) * partSize
        return ByteRange(offset: offset, length: min(partSize, size - offset))
    }

    /// The plan of an upload that was opened with this part size.
    package init(size: Int64, partSize: Int64) {
        precondition(size > 0 && partSize > 0, "an object in parts has bytes, and so has a part")
        self.size = size
        self.partSize = partSize
    }

    /// nil when the store cannot hold an object of that size in parts that fit into `memory`.
    package init?(size: Int64, preferred: Int64, memory: Int64, store: StoreCapabilities) {
        guard size > 0, size <= store.maxObjectSize else { return nil }
        let mebibyte: Int64 = 1 << 20
        let unit = max(mebibyte, store.partSizeMultiple)
        let needed = (size + Int64(store.maxParts) - 1) / Int64(store.maxParts)
        var partSize = max(min(preferred, memory), needed, store.partSize.lowerBound)
        partSize = (partSize + unit - 1) / unit * unit
        if partSize > store.partSize.upperBound {
            partSize = store.partSize.upperBound / store.partSizeMultiple * store.partSizeMultiple
        }
        guard partSize > 0, partSize <= memory, (size + partSize - 1) / partSize <= Int64(store.maxParts) else {
            return nil
        }
        self.size = size
        self.partSize = partSize
    }
}
