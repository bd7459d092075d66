import Testing

@Suite struct SimulationTests {
    private static let seeds: UInt64 = 100
    private static let parallelism: UInt64 = 4

    /// Every retained snapshot restores, whatever happens to whom and when.
    @Test func `snapshots restore through all histories`() async throws {
        let happened = try await withThrowingTaskGroup(of: Simulation.Happenings.self) { group in
            for share in 1...Self.parallelism {
                group.addTask {
                    var happened = Simulation.Happenings()
                    for seed in stride(from: share, through: Self.seeds, by: Int(Self.parallelism)) {
                        let (problems, what) = try await Simulation.play(seed: seed)
                        for problem in problems { Issue.record("\(problem)") }
                        happened += what
                    }
                    return happened
                }
            }
            return try await group.reduce(into: Simulation.Happenings()) { $0 += $1 }
        }
        #expect(happened.commits > 100 && happened.rejected > 0 && happened.kills > 10 && happened.failures > 50)
        #expect(happened.dropped > 20 && happened.repacked > 0 && happened.orphans > 100 && happened.reads > 10)
    }
}
