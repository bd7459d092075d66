import Foundation
import Testing

/// Histories from seeds. Another range of them: `LOCKSTEP_HISTORY_SEED=1000`.
@Suite struct RandomHistoryTests {
    private static let first = ProcessInfo.processInfo.environment["LOCKSTEP_HISTORY_SEED"].flatMap { UInt64($0) } ?? 1
    private static let count: UInt64 = 300

    @Test func `after any history one clean run makes both sides equal, and nobody's work is lost`() async throws {
        try await withThrowingTaskGroup(of: [String].self) { group in
            for seed in Self.first..<(Self.first + Self.count) {
                group.addTask {
                    var history = History(seed: seed)
                    try await history.play()
                    return history.problems
                }
                if seed % 4 == 0 { for problem in try await group.next() ?? [] { Issue.record("\(problem)") } }
            }
            for try await problems in group { for problem in problems { Issue.record("\(problem)") } }
        }
    }

    @Test func `the same seed gives the same trace`() async throws {
        var compared = 0
        for seed in Self.first..<(Self.first + 60) {
            var first = History(seed: seed)
            try await first.play()
            var second = History(seed: seed)
            try await second.play()
            guard let a = first.trace, let b = second.trace else { continue }
            compared += 1
            let differing = Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }
            for subject in differing {
                Issue.record("seed \(seed): \(subject): \(a[subject] ?? []) and \(b[subject] ?? [])")
            }
        }
        #expect(compared > 10)
    }
}
