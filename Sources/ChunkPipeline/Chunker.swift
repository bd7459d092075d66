/// Finds where one object is cut. The cuts depend on its bytes and size only, not on how they are split into buffers.
package struct Chunker: Sendable {
    private var cutter: Cutter

    private enum Cutter {
        case gear(GearCutter)
        case fixed(size: Int, length: Int)
        case tensor(TensorCutter)
    }

    /// - Parameter objectSize: what the object is said to have. If it has more or fewer bytes, the cuts are others, and still follow
    ///   from the bytes and this number.
    /// - Precondition: the profile is valid.
    package init(_ profile: ChunkerProfile, objectSize: Int64) {
        precondition(profile.isValid, "no profile to cut by: \(profile)")
        cutter =
            switch profile {
            case .gear(let sizes): .gear(GearCutter(sizes))
            case .fixed(let size): .fixed(size: size, length: 0)
            case .tensor(let grid, let sizes):
                .tensor(TensorCutter(grid: grid, otherwise: sizes, fileEnd: max(0, objectSize)))
            }
    }

    /// How many of `bytes`, the next ones of the object, end the current chunk; nil: all belong to it and it goes on. The caller ends
    /// the last chunk at the object's end.
    package mutating func nextCut(in bytes: UnsafeRawBufferPointer) -> Int? {
        // Moved out and back, so that what it keeps is not copied.
        var current = Cutter.fixed(size: 1, length: 0)
        swap(&current, &cutter)
        switch consume current {
        case .gear(var gear):
            defer { cutter = .gear(gear) }
            return gear.nextCut(in: bytes)
        case .tensor(var tensor):
            defer { cutter = .tensor(tensor) }
            return tensor.nextCut(in: bytes)
        case .fixed(let size, let length):
            let count = size - length
            guard bytes.count >= count else {
                cutter = .fixed(size: size, length: length + bytes.count)
                return nil
            }
            cutter = .fixed(size: size, length: 0)
            return count
        }
    }

    /// Bytes of one element (2, 4, 8) in the chunk that the last cut ended, or that is open; 1: unknown. Of interest right after
    /// `nextCut`.
    package var elementWidth: Int {
        if case .tensor(let tensor) = cutter { tensor.elementWidth } else { 1 }
    }
}
