/// What somebody probably meant.
enum Nearest {
    /// The known name that differs in the fewest letters, if these are few enough; nil otherwise.
    static func of(_ name: String, in known: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().replacing("-", with: "_").utf8.prefix(64))
        guard !wanted.isEmpty else { return nil }
        let limit = max(1, min(3, wanted.count / 3))
        let candidates = known.map { (distance: distance(wanted, Array($0.lowercased().utf8)), name: $0) }
        let best = candidates.min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        return best.flatMap { $0.distance <= limit ? $0.name : nil }
    }

    /// Letters to insert, drop, change, or swap with their neighbour.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
                row.append(cost)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
