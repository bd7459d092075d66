import Foundation
import Testing

/// Histories of writers, collectors and readers of one vault. Another range of them: `Scripts/simulate --vault`.
@Suite struct SimulationTests {
    private static let first = variable("LOCKSTEP_HISTORY_SEED") ?? 1
    private static let seeds = variable("LOCKSTEP_HISTORY_COUNT") ?? 100
    private static let parallelism: UInt64 = 4

    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Every retained snapshot restores, whatever happens to whom and when.
    @Test func `snapshots restore through all histories`() async throws {
        let happened = try await withThrowingTaskGroup(of: Simulation.Happenings.self) { group in
            for share in 0..<Self.parallelism {
                group.addTask {
                    var happened = Simulation.Happenings()
                    for number in stride(from: share, to: Self.seeds, by: Int(Self.parallelism)) {
                        let (problems, what) = try await Simulation.play(seed: Self.first + number)
                        for problem in problems { Issue.record("\(problem)") }
                        happened += what
                    }
                    return happened
                }
            }
            return try await group.reduce(into: Simulation.Happenings()) { $0 += $1 }
        }
        guard Self.seeds >= 100 else { return }
        #expect(happened.commits > 100 && happened.rejected > 0 && happened.kills > 10 && happened.failures > 50)
        #expect(happened.dropped > 20 && happened.repacked > 0 && happened.orphans > 100 && happened.reads > 10)
    }
}
