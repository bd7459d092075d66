import Testing

/// Histories of targets with commits, from seeds.
@Suite(.timeLimit(.minutes(5))) struct StagedHistoryTests {
    @Test func `whatever a commit leaves, a clean run makes both sides equal and no row lies`() async throws {
        let happened = try await withThrowingTaskGroup(of: StagedHistory.self) { group in
            var happened = StagedHistory.Happenings()
            func take(_ history: StagedHistory?) {
                guard let history else { return }
                for problem in history.problems { Issue.record("\(problem)") }
                happened = happened + history.happened
            }
            for seed in UInt64(1)...1500 {
                group.addTask { try await StagedHistory.played(seed: seed) }
                if seed > 4 { take(try await group.next()) }
            }
            while let history = try await group.next() { take(history) }
            return happened
        }
        #expect(happened.killedBefore > 10 && happened.killedAfter > 10 && happened.killedElsewhere > 10)
        #expect(happened.failedCommits > 10 && happened.rejected > 10 && happened.checkpoints > 10)
        #expect(happened.adopted > 10 && happened.conflicts > 10)
    }
}
