import ReplicationModel

/// What no two pairs may have in common.
struct PairsCheck {
    private let pairs: [PairConfiguration]
    private let clouds: [String: CloudSettings]

    init(_ pairs: [PairConfiguration], clouds: [String: CloudSettings]) {
        self.pairs = pairs
        self.clouds = clouds
    }

    var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for (index, pair) in pairs.enumerated() {
            if let other = pairs[..<index].first(where: { writeIntoOneAnother(pair, $0) }) {
                let isTwin = same(pair.source, other.source) && same(pair.target, other.target)
                let what =
                    isTwin
                    ? "the pair '\(other.name)' has the same source and target"
                    : "the pair '\(other.name)' writes there too (line \(other.fields.place(of: "target").position.line)): "
                        + "each would delete or overwrite what the other has written"
                problems.append(pair.problem(with: "target", what))
            }
            // What one has taken off a queue the other never sees.
            if let queue = pair.events?.queue, let other = pairs[..<index].first(where: { $0.events?.queue == queue }) {
                problems.append(
                    pair.problem(
                        with: "events",
                        "the pair '\(other.name)' reads the same queue, and each would lose what the other takes off it; "
                            + "let the cloud send the events to a queue for each pair"))
            }
        }
        return problems
    }

    /// Folders of one vault are apart, like those of one bucket, and what a vault consists of belongs to it alone.
    private func writeIntoOneAnother(_ a: PairConfiguration, _ b: PairConfiguration) -> Bool {
        guard a.target.cloudEndpoint(clouds) == b.target.cloudEndpoint(clouds) else { return false }
        return a.target.location.underlying.overlaps(b.target.location.underlying)
    }

    private func same(_ a: PlaceSettings, _ b: PlaceSettings) -> Bool {
        a.location == b.location && a.cloudEndpoint(clouds) == b.cloudEndpoint(clouds)
    }
}
