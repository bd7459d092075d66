/// How objects are cut into chunks. Part of a vault's format: another profile cuts everything anew, and nothing is found again.
package enum ChunkerProfile: Hashable, Sendable {
    /// By content, see `GearSizes`.
    case gear(GearSizes)
    /// Every `size` bytes.
    case fixed(size: Int)
    /// Safetensors and GGUF files at the borders of their tensors and every `grid` bytes inside; everything else as `gear`.
    case tensor(grid: Int, otherwise: GearSizes)

    package static let standard = ChunkerProfile.tensor(grid: 256 << 10, otherwise: .standard)

    /// No chunk is longer, in bytes.
    package var largest: Int {
        switch self {
        case .gear(let sizes): sizes.max
        case .fixed(let size): size
        case .tensor(let grid, let sizes): max(grid, sizes.max)
        }
    }
}

/// Bytes of chunks that content cuts. Each is a power of two; `max` is at most 8 MiB.
package struct GearSizes: Hashable, Sendable, Codable {
    package var min: Int
    package var average: Int
    package var max: Int

    package init(min: Int, average: Int, max: Int) {
        self.min = min
        self.average = average
        self.max = max
    }

    package static let standard = GearSizes(min: 64 << 10, average: 256 << 10, max: 1 << 20)
    package static let small = GearSizes(min: 16 << 10, average: 64 << 10, max: 256 << 10)
}
