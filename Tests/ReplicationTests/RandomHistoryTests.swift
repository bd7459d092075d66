import Foundation
import Testing

/// Histories from seeds; `Scripts/simulate` plays more of them, and a single one again.
@Suite struct RandomHistoryTests {
    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    private static let first = variable("LOCKSTEP_HISTORY_SEED") ?? 1
    private static let count = variable("LOCKSTEP_HISTORY_COUNT") ?? 2000
    private static let isShown = variable("LOCKSTEP_HISTORY_TRACE") == 1
    /// How many are played twice.
    private static let repeated = min(count, 200)

    @Test func `after any history one clean run makes both sides equal, and nobody's work is lost`() async throws {
        let happened = try await withThrowingTaskGroup(of: History.self) { group in
            var happened = History.Happenings()
            func take(_ history: History?) {
                guard let history else { return }
                if Self.isShown { print((history.trace ?? ["crowded: no trace"]).joined(separator: "\n")) }
                for problem in history.problems { Issue.record("\(problem); again: \(Self.again(history.seed))") }
                happened = happened + history.happened
            }
            for seed in Self.first..<(Self.first + Self.count) {
                group.addTask { try await History.played(seed: seed) }
                if seed - Self.first >= 4 { take(try await group.next()) }
            }
            while let history = try await group.next() { take(history) }
            return happened
        }
        guard Self.count >= 100 else { return }
        #expect(happened.kills > 10 && happened.failedRuns > 10 && happened.lostLedgers > 10)
        #expect(happened.leftUploads > 10 && happened.inSync > 10 && happened.drift > 10)
    }

    @Test func `the same seed gives the same trace`() async throws {
        var compared = 0
        for seed in Self.first..<(Self.first + Self.repeated) {
            guard let first = try await History.played(seed: seed, hasChecks: false).trace,
                let second = try await History.played(seed: seed, hasChecks: false).trace
            else { continue }
            compared += 1
            guard first != second else { continue }
            let index = zip(first, second).prefix { $0 == $1 }.count
            Issue.record(
                "seed \(seed): call \(index): \(first.dropFirst(index).first ?? "end") and \(second.dropFirst(index).first ?? "end"); again: \(Self.again(seed))"
            )
        }
        #expect(compared * 2 > Self.repeated || Self.count == 1)
    }

    private static func again(_ seed: UInt64) -> String { "Scripts/simulate --seed \(seed)" }
}
