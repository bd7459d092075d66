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

    /// Whether the numbers are ones that can be cut by. Formats that say otherwise are refused before a `Chunker` sees them.
    package var isValid: Bool {
        switch self {
        case .gear(let sizes): sizes.isValid
        case .fixed(let size): (64...GearSizes.ceiling).contains(size)
        case .tensor(let grid, let sizes):
            sizes.isValid && (4096...GearSizes.ceiling).contains(grid) && grid & (grid - 1) == 0
        }
    }
}

/// Bytes of chunks that content cuts. Each is a power of two; `min` is at least 64, `max` above it and at most 8 MiB.
package struct GearSizes: Hashable, Sendable, Codable {
    package var min: Int
    package var average: Int
    package var max: Int

    package init(min: Int, average: Int, max: Int) {
        self.min = min
        self.average = average
        self.max = max
    }

    /// No chunk of any profile is longer.
    package static let ceiling = 8 << 20

    package var isValid: Bool {
        // The rolling hash looks at 64 bytes; a looser mask than two bits would cut everywhere.
        min >= 64 && min <= average && average <= max && min < max && max <= Self.ceiling
            && [min, average, max].allSatisfy { $0 & ($0 - 1) == 0 }
    }

    package static let standard = GearSizes(min: 64 << 10, average: 256 << 10, max: 1 << 20)
    package static let small = GearSizes(min: 16 << 10, average: 64 << 10, max: 256 << 10)
}
