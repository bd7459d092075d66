/// How long calls took, counted in fixed classes, so that adding one is a comparison or ten and no memory.
package struct LatencyHistogram: Sendable, Hashable {
    /// Upper ends of the classes, in nanoseconds; one more class has what is longer.
    package static let bounds: [Int64] = [
        5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
    ].map { $0 * 1_000_000 }

    /// Calls per class, each call in one.
    package private(set) var counts = [Int](repeating: 0, count: Self.bounds.count + 1)
    /// Nanoseconds of all calls together.
    package private(set) var sum: Int64 = 0

    package init() {}

    /// - Parameter counts: as many as there are classes; others are left out.
    package init(counts: [Int], sum: Int64) {
        guard counts.count == self.counts.count else { return }
        self.counts = counts
        self.sum = sum
    }

    package var count: Int { counts.reduce(0, +) }

    package mutating func add(_ nanoseconds: Int64) {
        var index = 0
        while index < Self.bounds.count, nanoseconds > Self.bounds[index] { index += 1 }
        counts[index] += 1
        sum &+= nanoseconds
    }

    package mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        sum &+= other.sum
    }
}
