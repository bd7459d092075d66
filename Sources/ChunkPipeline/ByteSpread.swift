import CKernels

/// What a glance at some bytes says of how evenly the 256 values are used.
enum ByteSpread {
    /// A sample of 4 KiB: 16 pieces, evenly spread over the bytes.
    private static let sampleSize = 4096
    private static let pieces = 16

    /// The number of values that, equally frequent, would meet each other as often as the sample's do: 256 for random bytes, 1 for equal
    /// ones. Its binary logarithm is the collision entropy, a little below Shannon's.
    static func symbols(_ bytes: UnsafeRawBufferPointer) -> Int {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { counts in
            counts.initialize(repeating: 0)
            guard let start = bytes.baseAddress, bytes.count >= 2 else { return 1 }
            let piece = sampleSize / pieces
            if bytes.count <= sampleSize {
                lockstep_count_bytes(start, bytes.count, counts.baseAddress)
            } else {
                let stride = (bytes.count - piece) / (pieces - 1)
                for index in 0..<pieces { lockstep_count_bytes(start + index * stride, piece, counts.baseAddress) }
            }
            // Pairs that meet, and pairs that there are: without the pairs of a byte with itself the estimate is not biased.
            let meeting = counts.reduce(0) { $0 + Int($1) * (Int($1) - 1) }
            let total = min(bytes.count, sampleSize)
            return meeting == 0 ? 256 : min(256, total * (total - 1) / meeting)
        }
    }
}
